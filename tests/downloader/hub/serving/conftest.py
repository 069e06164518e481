"""A repository that is mirrored, and clients of the endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from downloader.hub import registering
from downloader.hub.models import Repo
from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from tests.downloader.hub.conftest import mirror

Ask = Callable[..., Any]


@pytest.fixture
def mirrored(synced: Repo) -> Repo:
    """All of it that the policy allows."""
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


@pytest.fixture
def reader(db: None, settings: Settings) -> Ask:
    """Asks below `/hf/` with a key of somebody who may only look."""
    settings.AUTH_REQUIRED = True
    return asking(User.objects.create_user("reader"), "read")


@pytest.fixture
def fetcher(operator: User, settings: Settings) -> Ask:
    """Likewise, of somebody who may download; what is missing is fetched."""
    settings.AUTH_REQUIRED = True
    settings.HUB_PULL_THROUGH = True
    return asking(operator, "read", "models")


def asking(user: User, *scopes: str) -> Ask:
    key = keys.make(user, "client", scopes).revealed

    def ask(path: str, method: str = "get", data: Any = None, **headers: str) -> HttpResponse:
        sent = {"Authorization": f"Bearer {key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        client = Client(headers=sent)
        extra = {} if data is None else {"data": data, "content_type": "application/json"}
        answer: Any = getattr(client, method)(f"/hf/{path}", **extra)
        return answer  # type: ignore[no-any-return]

    return ask
