"""Browsing repositories that nobody tracks, and those that are tracked while the hub is away."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from downloader.hub import asking, browsing, peeking, recalling, registering
from downloader.hub.browsing import BadCursor
from downloader.hub.models import Repo
from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    InvalidRef,
    NotFound,
    Throttled,
    Unreachable,
)
from tests.downloader.hub.conftest import FILES, NAME, WEIGHTS, mirror
from tests.hubs import Hub, faults

pytestmark = pytest.mark.django_db

OLD_WEIGHTS = b"\x80\x04pickle"


@pytest.fixture(autouse=True)
def nothing_kept(models_root: object) -> None:
    cache.clear()


def at(path: str = "", revision: str | None = None, name: str = NAME) -> recalling.Place:
    author, _, repo = name.rpartition("/")
    return recalling.place(author, repo, revision, path)


def local(tree: dict[str, Any]) -> dict[str, bool]:
    return {line["path"]: line["local"] for line in tree["files"]}


@pytest.mark.parametrize(
    ("text", "revision", "path"),
    [
        ("{hub}/forge/sketch", None, None),
        ("{hub}/forge/sketch/tree/v2", "v2", None),
        ("{hub}/forge/sketch/tree/v2/unet", "v2", "unet"),
        ("{hub}/forge/sketch/blob/main/unet/config.json", "main", "unet/config.json"),
        ("{hub}/forge/sketch/resolve/refs%2Fpr%2F3/a.bin?download=true", "refs/pr/3", "a.bin"),
        ("https://huggingface.co/forge/sketch/blob/main/a.bin", "main", "a.bin"),
        ("forge/sketch", None, None),
        ("forge/sketch@v2", "v2", None),
    ],
)
def test_an_address_is_read_into_its_parts(
    hub: Hub, text: str, revision: str | None, path: str | None
) -> None:
    found = browsing.read(text.format(hub=hub.endpoint))
    assert found == {"author": "forge", "repo": "sketch", "revision": revision, "path": path}


@pytest.mark.parametrize("text", ["civitai:12", "https://example.org/a/b", "../etc", "a/b/c/d"])
def test_what_is_no_address_of_a_repository_is_refused(text: str) -> None:
    with pytest.raises(InvalidRef):
        browsing.read(text)


def test_branches_and_tags_have_their_commits(hub: Hub, upstream: str) -> None:
    found = browsing.refs(at())
    assert [ref["name"] for ref in found["branches"]] == ["main"]
    assert len(found["branches"][0]["commit"]) == 40
    assert (found["tags"], found["source"]) == ([], "hub")


def test_a_repository_tells_whether_it_is_tracked(upstream: str, db: None) -> None:
    before = browsing.repository(at())
    repo, _ = registering.register(NAME)
    assert (before["repo_id"], before["file_count"]) == (None, len(FILES))
    assert browsing.repository(at())["repo_id"] == repo.pk


def test_a_file_is_local_when_its_bytes_are_here_by_whatever_name(hub: Hub, synced: Repo) -> None:
    mirror(synced, "unet/")
    hub.huggingface.add("other/copy", {"same.safetensors": WEIGHTS, "new.json": "{1}"})
    tree = browsing.tree(at(name="other/copy"))
    assert local(tree) == {"same.safetensors": True, "new.json": False}


def test_small_files_without_a_sha256_upstream_are_local_by_their_rows(synced: Repo) -> None:
    tree = local(browsing.tree(at()))
    assert (tree["README.md"], tree["config.json"]) == (True, True)
    assert (tree["unet"], tree["vae"]) == (False, False)


def test_a_folder_is_local_when_all_that_may_be_fetched_of_it_is_here(synced: Repo) -> None:
    mirror(synced, "unet/")
    tree = local(browsing.tree(at()))
    assert (tree["unet"], tree["vae"]) == (True, False)


def test_pages_follow_each_other_and_their_marks_belong_to_one_folder(hub: Hub) -> None:
    hub.huggingface.page_size = 2
    hub.huggingface.add("forge/many", {f"{n}.json": "{}" for n in range(5)})
    where = at(name="forge/many")
    seen, cursor = [], None
    for _ in range(3):
        page = browsing.tree(where, cursor)
        seen += [line["path"] for line in page["files"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == ([f"{n}.json" for n in range(5)], None)
    mark = browsing.tree(where)["next_cursor"]
    with pytest.raises(BadCursor):
        browsing.tree(at("unet", name="forge/many"), mark)
    with pytest.raises(BadCursor):
        browsing.tree(where, "made-up")


def test_an_answer_is_kept_for_a_moment_and_asked_for_anew_on_wish(hub: Hub, upstream: str) -> None:
    browsing.tree(at())
    asked = len(hub.requests.of("*sketch*"))
    browsing.tree(at())
    assert len(hub.requests.of("*sketch*")) == asked
    browsing.tree(at(), refresh=True)
    assert len(hub.requests.of("*sketch*")) == asked + 1


def test_an_error_is_not_kept(hub: Hub, models_root: object) -> None:
    with pytest.raises(DownloadError):
        browsing.tree(at(name="forge/later"))
    hub.huggingface.add("forge/later", {"a.json": "{}"})
    assert list(local(browsing.tree(at(name="forge/later")))) == ["a.json"]


def test_a_tracked_repository_is_browsed_while_the_hub_is_away(hub: Hub, synced: Repo) -> None:
    mirror(synced, "unet/")
    there = browsing.tree(at("unet"))
    cache.clear()
    hub.unplug()
    here = browsing.tree(at("unet"))
    assert (here["source"], here["commit"]) == ("mirror", synced.commit)
    assert local(here) == local(there)
    top = browsing.tree(at())
    assert local(top)["unet"] is True
    assert browsing.tree(at(revision=synced.commit))["source"] == "mirror"
    assert browsing.refs(at())["branches"] == [{"name": "main", "commit": synced.commit}]
    assert browsing.repository(at())["commit"] == synced.commit
    with pytest.raises(NotFound):
        browsing.tree(at("no/such/folder"))


def test_a_repository_that_nobody_tracks_is_not_browsed_while_the_hub_is_away(
    hub: Hub, upstream: str
) -> None:
    hub.unplug()
    with pytest.raises(Unreachable):
        browsing.tree(at())


def test_the_hubs_own_no_is_told_though_rows_are_known(synced: Repo) -> None:
    with pytest.raises(NotFound):
        browsing.tree(at("no-such-folder"))


def test_a_page_of_a_mirrored_folder_goes_on_where_the_one_before_ended(
    hub: Hub, synced: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "MIRROR_PAGE", 2)
    hub.unplug()
    first = browsing.tree(at())
    second = browsing.tree(at(), first["next_cursor"])
    third = browsing.tree(at(), second["next_cursor"])
    names = [line["path"] for page in (first, second, third) for line in page["files"]]
    assert names == ["README.md", "config.json", "old", "unet", "vae"]
    assert third["next_cursor"] is None


def test_a_page_costs_the_same_queries_however_long_it_is(hub: Hub, db: None) -> None:
    hub.huggingface.add("forge/few", {"a.json": "{}", "b/c.json": "{}"})
    hub.huggingface.add("forge/lots", {f"{n}.json": f"{n}" for n in range(300)} | {"b/c": "c"})
    with CaptureQueriesContext(connection) as few:
        browsing.tree(at(name="forge/few"))
    with CaptureQueriesContext(connection) as lots:
        browsing.tree(at(name="forge/lots"))
    assert len(few) == len(lots) == 3


def test_a_source_that_wants_us_to_wait_is_rate_limited(hub: Hub, upstream: str) -> None:
    hub.faults.add(faults.TooManyRequests(seconds=120), path="*sketch*")
    with pytest.raises(Throttled) as refused:
        browsing.tree(at())
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 120)


def test_more_than_a_few_at_once_are_sent_away(upstream: str) -> None:
    inside, leave = threading.Barrier(asking.MOST_AT_ONCE + 1), threading.Event()

    def sit(*_: object) -> None:
        inside.wait(10)
        leave.wait(10)

    threads = [threading.Thread(target=asking.ask, args=(sit,)) for _ in range(asking.MOST_AT_ONCE)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    try:
        with pytest.raises(asking.TooMany) as refused:
            browsing.refs(at())
    finally:
        leave.set()
    for thread in threads:
        thread.join(10)
    assert (refused.value.code, refused.value.retry_after_s) == ("infra_unavailable", 2)
    assert browsing.refs(at())["source"] == "hub"


def test_a_source_that_does_not_answer_is_given_up(
    hub: Hub, upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LONGEST_S", 0.2)
    hub.faults.add(faults.Latency(3), path="*sketch*")
    with pytest.raises(Unreachable):
        browsing.refs(at())


# One file


def test_a_config_is_shown_without_a_download(hub: Hub, upstream: str) -> None:
    found = peeking.file(at("unet/config.json"))
    assert found["json"] == {"sample_size": 64}
    assert (found["source"], found["local"], found["kind"]) == ("hub", False, "config")
    assert found["size_bytes"] == len(str(FILES["unet/config.json"]))
    assert len(str(found["commit"])) == 40


def test_a_header_of_tensors_is_summed_up_from_the_first_bytes(hub: Hub, upstream: str) -> None:
    found = peeking.file(at("unet/model.safetensors"))
    header = found["safetensors"]
    assert header["tensor_count"] > 0
    assert header["parameter_count"] == sum(header["dtypes"].values()) > 0
    assert found["size_bytes"] == WEIGHTS.size
    assert len(found["sha256"]) == 64
    assert hub.bytes_sent(f"{NAME}/unet/model.safetensors") < WEIGHTS.size / 2


def test_a_file_that_is_here_is_read_here(hub: Hub, synced: Repo) -> None:
    mirror(synced, "unet/")
    hub.unplug()
    found = peeking.file(at("unet/model.safetensors"))
    assert (found["source"], found["local"], found["commit"]) == ("mirror", True, synced.commit)
    assert found["safetensors"]["tensor_count"] > 0
    assert peeking.file(at("unet/config.json"))["json"] == {"sample_size": 64}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", "{nope", "not JSON"),
        ("a.json", '"' + "x" * (1 << 20) + '"', "1048576"),
        ("a.safetensors", b"<html>a page</html>", "header"),
        ("a.safetensors", (1 << 40).to_bytes(8, "little") + b"{}", "header has"),
        ("a.safetensors", b"", "too short"),
        ("a.json", b"", "not JSON"),
    ],
)
def test_content_that_is_not_what_its_name_says_is_a_problem_and_no_error(
    hub: Hub, name: str, content: Any, problem: str
) -> None:
    hub.huggingface.add("forge/odd", {name: content})
    found = peeking.file(at(name, name="forge/odd"))
    assert problem in found["problem"]
    assert (found["json"], found["safetensors"]) == (None, None)


def test_another_file_is_described_by_one_byte(hub: Hub, upstream: str) -> None:
    found = peeking.file(at("old/weights.bin"))
    assert (found["kind"], found["problem"], found["json"]) == ("model", None, None)
    assert found["size_bytes"] == len(OLD_WEIGHTS)


def test_a_file_that_is_not_there_and_one_that_is_gated(hub: Hub, upstream: str) -> None:
    hub.huggingface.add("forge/gated", {"a.json": "{}"}, gated="auto")
    with pytest.raises(NotFound):
        peeking.file(at("nothing.json"))
    with pytest.raises(AccessNeeded):
        peeking.file(at("a.json", name="forge/gated"))
