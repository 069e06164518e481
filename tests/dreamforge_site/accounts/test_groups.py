from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from dreamforge_site.accounts import groups

CODENAMES = {
    ("registry", "view_model"): ("operators", "downloaders", "viewers"),
    ("registry", "change_model"): ("operators",),
    ("registry", "enable_model"): ("operators",),
    ("downloader", "view_download"): ("operators", "downloaders", "viewers"),
    ("downloader", "add_download"): ("operators", "downloaders"),
    ("downloader", "change_download"): ("operators", "downloaders"),
    ("downloader", "delete_download"): ("operators",),
    ("jobs", "add_job"): ("operators",),
    ("accounts", "view_user"): ("operators", "downloaders", "viewers"),
    ("accounts", "change_user"): (),
    ("accounts", "delete_apikey"): (),
    ("auth", "change_group"): (),
    ("admin", "delete_logentry"): (),
    ("sessions", "view_session"): (),
    ("sessions", "change_session"): (),
}


@pytest.mark.pure
@pytest.mark.parametrize(("permission", "holders"), CODENAMES.items())
def test_a_permission_belongs_to_the_groups_whose_rules_cover_it(
    permission: tuple[str, str], holders: tuple[str, ...]
) -> None:
    found = [
        name
        for name, rules in groups.BUILT_IN.items()
        if any(rule.covers(*permission) for rule in rules)
    ]
    assert tuple(found) == holders


def test_migrating_made_the_groups_with_their_permissions(db: None) -> None:
    viewers = Group.objects.get(name=groups.VIEWERS)
    codenames = set(viewers.permissions.values_list("codename", flat=True))
    assert "view_user" in codenames
    assert {name.partition("_")[0] for name in codenames} == {"view"}
    assert set(groups.BUILT_IN) <= set(Group.objects.values_list("name", flat=True))


def test_migrating_again_restores_what_was_changed(db: None) -> None:
    operators = Group.objects.get(name=groups.OPERATORS)
    before = set(operators.permissions.values_list("pk", flat=True))
    operators.permissions.set(Permission.objects.filter(codename="delete_user"))
    Group.objects.filter(name=groups.VIEWERS).delete()
    call_command("migrate", verbosity=0)
    assert set(operators.permissions.values_list("pk", flat=True)) == before
    assert Group.objects.get(name=groups.VIEWERS).permissions.exists()


def test_groups_of_the_operators_own_are_left_alone(db: None) -> None:
    own = Group.objects.create(name="night shift")
    own.permissions.set(Permission.objects.filter(codename="change_user"))
    groups.sync(apps, "default")
    assert own.permissions.count() == 1


def test_a_history_without_the_models_yet_is_no_error(db: None) -> None:
    class Early:
        def get_model(self, app: str, name: str) -> Any:
            raise LookupError(f"{app}.{name}")

    groups.sync(Early(), "default")
