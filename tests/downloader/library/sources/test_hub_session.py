"""huggingface_hub through our client for us, and as it always was for everybody else."""

from __future__ import annotations

import logging

import pytest
from huggingface_hub import HfApi, constants, get_session
from huggingface_hub.errors import OfflineModeIsEnabled

from downloader.library.http import Client
from downloader.library.sources.hub_session import Session, through
from downloader.library.watch import Control
from tests.hubs import Hub

pytestmark = pytest.mark.pure


def test_calls_of_others_go_the_librarys_own_way_with_their_own_token(
    hub: Hub, client: Client
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"}, private=True)
    api = HfApi(hub.huggingface.endpoint, token=hub.huggingface.token)
    with through(client, hub.huggingface.endpoint, None, Control()):
        assert isinstance(get_session(), Session)
    assert api.model_info("author/repo").id == "author/repo"
    (asked,) = hub.requests
    assert asked.headers["authorization"] == f"Bearer {hub.huggingface.token}"
    assert "hf_hub/" in asked.headers["user-agent"]


def test_calls_within_carry_our_token_and_not_the_one_of_the_call(hub: Hub, client: Client) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    api = HfApi(hub.huggingface.endpoint, token="hf_OfSomebodyElse")
    with through(client, hub.huggingface.endpoint, hub.huggingface.token, Control()):
        api.model_info("author/repo")
    assert hub.requests[0].headers["authorization"] == f"Bearer {hub.huggingface.token}"


def test_offline_mode_is_said_to_others_in_the_librarys_words(
    hub: Hub, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with through(client, hub.huggingface.endpoint, None, Control()):
        session = get_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OfflineModeIsEnabled):
        session.get(f"{hub.huggingface.endpoint}/api/models/author/repo")
    assert len(hub.requests) == 0


def test_the_session_is_put_in_place_once(hub: Hub, client: Client) -> None:
    with through(client, hub.huggingface.endpoint, None, Control()):
        first = get_session()
    with through(client, hub.huggingface.endpoint, None, Control()):
        assert get_session() is first
    assert logging.getLogger("huggingface_hub").level == logging.ERROR


def test_the_token_is_for_the_endpoint_and_for_no_other_address(hub: Hub, client: Client) -> None:
    elsewhere = hub.web.add("/elsewhere", "{}")
    with through(client, hub.huggingface.endpoint, hub.huggingface.token, Control()):
        get_session().get(elsewhere)
    (asked,) = hub.requests
    assert "authorization" not in asked.headers
    assert hub.leaks == []


def test_the_library_tells_nobody_about_this_machine() -> None:
    assert constants.HF_HUB_DISABLE_TELEMETRY
