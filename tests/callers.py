"""Who calls: staff of every group in a browser, and programs with a key."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.test import Client
from rest_framework.test import APIClient

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User

SCOPES = ("read", "jobs", "models", "admin")


def member(name: str, *groups: str, rights: tuple[str, ...] = ()) -> User:
    """Of the staff."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def staff(name: str, *groups: str, rights: tuple[str, ...] = ()) -> Client:
    """The browser of a member of the staff who has signed in."""
    browser = Client()
    browser.force_login(member(name, *groups, rights=rights))
    return browser


def client_of(user: User, *scopes: str) -> APIClient:
    """A program of theirs; its key may do all that they may, or what is named."""
    key = keys.make(user, "test", scopes or SCOPES)
    return APIClient(headers={"X-API-Key": key.revealed})
