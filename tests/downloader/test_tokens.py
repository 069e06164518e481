"""What the service knows of the hubs' tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from downloader import tokens
from downloader.models import TokenCheck
from tests.hubs import Hub

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def with_tokens(hub: Hub, models_root: Path, settings: Settings) -> None:
    given = {"hf": hub.huggingface.token, "civitai": hub.civitai.token}
    settings.DOWNLOAD_SOURCE_SETTINGS = {
        source: {**facts, "token": given[source]}
        for source, facts in settings.DOWNLOAD_SOURCE_SETTINGS.items()
    }


@pytest.mark.parametrize(
    ("source", "account", "scope"), [("hf", "reader", "read"), ("civitai", "member", "full")]
)
def test_a_check_keeps_whose_token_it_is_and_what_it_may_do(
    source: str, account: str, scope: str
) -> None:
    found = tokens.check(source)
    assert (found.account, found.scope, found.problem) == (account, scope, "")
    assert found.worked_at == found.checked_at


@pytest.mark.parametrize("source", ["hf", "civitai"])
def test_a_refused_token_is_told_and_when_it_last_worked_stays(
    source: str, settings: Settings
) -> None:
    worked_at = tokens.check(source).worked_at
    settings.DOWNLOAD_SOURCE_SETTINGS[source]["token"] = "hf_another"
    refused = tokens.check(source)
    assert tokens.VARIABLES[source] in refused.problem
    assert refused.worked_at == worked_at
    assert worked_at is not None
    assert refused.checked_at > worked_at


def test_the_token_itself_is_kept_nowhere(hub: Hub) -> None:
    tokens.check("hf")
    row = str(TokenCheck.objects.values().get())
    assert hub.huggingface.token not in row


def test_a_source_without_a_token_is_said_to_have_none(settings: Settings) -> None:
    settings.DOWNLOAD_SOURCE_SETTINGS["hf"]["token"] = ""
    assert {token.source: token.is_set for token in tokens.known()} == {
        "hf": False,
        "civitai": True,
    }
    assert "No token" in tokens.check("hf").problem
