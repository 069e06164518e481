"""huggingface_hub's own client raises its own errors for what this hub refuses."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hubs import Hub, faults
from tests.hubs.conftest import CONFIG, REPO, WEIGHTS
from tests.hubs.huggingface import Repository

pytestmark = pytest.mark.pure


def test_what_is_not_there_is_named(
    repository: Repository, api: HfApi, download: Callable[..., bytes]
) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("nobody/nothing")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(REPO, revision="nowhere")
    with pytest.raises(RevisionNotFoundError):
        list(api.list_repo_tree(REPO, revision="feature/nowhere"))
    with pytest.raises(RevisionNotFoundError):
        download("config.json", revision="nowhere")
    with pytest.raises(RemoteEntryNotFoundError):
        download("nothing.txt")


def test_a_private_repository_is_absent_for_strangers(
    hub: Hub, api: HfApi, download: Callable[..., bytes]
) -> None:
    hub.huggingface.add(REPO, {"config.json": CONFIG}, private=True)
    with pytest.raises(RepositoryNotFoundError) as anonymous:
        api.model_info(REPO)
    with pytest.raises(RepositoryNotFoundError) as stranger:
        api.model_info(REPO, token=hub.huggingface.stranger_token)
    assert [error.value.response.status_code for error in (anonymous, stranger)] == [401, 404]
    assert api.model_info(REPO, token=hub.huggingface.token).private
    assert download("config.json", token=hub.huggingface.token) == CONFIG.encode()


def test_a_gated_repository_shows_its_list_and_keeps_its_files(
    hub: Hub, api: HfApi, download: Callable[..., bytes]
) -> None:
    hub.huggingface.add(REPO, {"a.safetensors": WEIGHTS}, gated="manual")
    assert api.model_info(REPO).gated == "manual"
    assert api.list_repo_files(REPO) == ["a.safetensors"]
    with pytest.raises(GatedRepoError) as anonymous:
        download("a.safetensors")
    with pytest.raises(GatedRepoError) as stranger:
        download("a.safetensors", token=hub.huggingface.stranger_token)
    assert [error.value.response.status_code for error in (anonymous, stranger)] == [401, 403]
    assert download("a.safetensors", token=hub.huggingface.token) == WEIGHTS.read()


def test_a_disabled_repository_says_so(hub: Hub, api: HfApi) -> None:
    hub.huggingface.add(REPO, disabled=True)
    with pytest.raises(DisabledRepoError):
        api.model_info(REPO)


def test_a_token_that_is_not_known_is_refused_even_for_public_files(
    repository: Repository, api: HfApi
) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as refused:
        api.model_info(REPO, token="hf_wrong")
    assert not isinstance(refused.value, RepositoryNotFoundError)


def test_it_learns_who_it_is(hub: Hub, api: HfApi) -> None:
    assert api.whoami(token=hub.huggingface.token)["name"] == "reader"
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token="hf_wrong")
    hub.huggingface.accounts.revoke(hub.huggingface.token)
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token=hub.huggingface.token)


def test_a_quota_that_is_used_up_is_waited_for(
    hub: Hub, repository: Repository, api: HfApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", slept.append)
    hub.faults.add(faults.TooManyRequests(5, "ratelimit"), "*/tree/*", times=1)
    assert len(list(api.list_repo_tree(REPO))) == 4
    assert slept == [6.0]


def test_a_tree_cut_short_or_without_its_next_page_goes_through_unnoticed_or_not(
    hub: Hub, repository: Repository, api: HfApi
) -> None:
    hub.huggingface.page_size = 2
    hub.faults.add(faults.LostPages(), "*/tree/*", times=1)
    assert len(list(api.list_repo_tree(REPO))) == 2
    hub.faults.add(faults.CutJson(), "*/tree/*", times=1)
    with pytest.raises(json.JSONDecodeError):
        list(api.list_repo_tree(REPO))
