"""`/hf/` over mirrored rows: names, lists, headers, refusals."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from downloader import configured
from downloader.hub import registering
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.hub.serving import holdings
from dreamforge_site.accounts.models import User
from tests.downloader.hub.conftest import FILES, NAME, WEIGHTS, mirror, sync
from tests.downloader.hub.serving.conftest import Ask, asking
from tests.hubs import Hub

SERVED = sorted(path for path in FILES if not path.endswith(".bin"))
API = f"api/models/{NAME}"
RESOLVE = f"{NAME}/resolve/main"
MODEL = "unet/model.safetensors"


def ticket(answer: Any) -> dict[str, Any]:
    kind, _, told = answer["X-Forge-Handoff"].partition(" ")
    return {"kind": kind, **json.loads(told)}


# What is told


def test_info_names_the_commit_and_what_is_here(mirrored: Repo, reader: Ask) -> None:
    told = reader(API).json()
    assert told["sha"] == mirrored.commit
    assert told["id"] == NAME
    assert [sibling["rfilename"] for sibling in told["siblings"]] == SERVED
    assert told["gated"] is False
    assert reader(f"{API}/revision/{mirrored.commit}").json() == told


def test_info_with_blobs_equals_what_the_upstream_publishes(
    hub: Hub, mirrored: Repo, reader: Ask
) -> None:
    address = f"{hub.endpoint}/{API}/revision/main?blobs=true"
    upstream = requests.get(address, timeout=10).json()["siblings"]
    ours = reader(f"{API}/revision/main?blobs=true").json()["siblings"]
    assert ours == [one for one in upstream if one["rfilename"] in SERVED]


def test_tree_equals_what_the_upstream_publishes(hub: Hub, mirrored: Repo, reader: Ask) -> None:
    address = f"{hub.endpoint}/{API}/tree/main/unet?recursive=true"
    upstream = [
        {name: fact for name, fact in line.items() if name != "xetHash"}
        for line in requests.get(address, timeout=10).json()
    ]
    assert reader(f"{API}/tree/main/unet?recursive=true").json() == upstream


def test_tree_without_recursion_shows_one_level(mirrored: Repo, reader: Ask) -> None:
    lines = reader(f"{API}/tree/main").json()
    assert [(line["type"], line["path"]) for line in lines] == [
        ("file", "README.md"),
        ("file", "config.json"),
        ("directory", "unet"),
        ("directory", "vae"),
    ]


def test_pages_of_a_tree_follow_links_by_commit(mirrored: Repo, reader: Ask) -> None:
    first = reader(f"{API}/tree/main?recursive=true&limit=3")
    link = first["Link"].partition(">")[0].removeprefix("<http://testserver/hf/")
    assert f"/tree/{mirrored.commit}?" in link
    second = reader(link)
    third = reader(second["Link"].partition(">")[0].removeprefix("<http://testserver/hf/"))
    paths = [line["path"] for page in (first, second, third) for line in page.json()]
    assert paths == sorted([*SERVED, "unet", "vae"])
    assert "Link" not in third


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "cursor=%21", "cursor=W10="])
def test_page_that_is_none_is_refused_with_400(mirrored: Repo, reader: Ask, query: str) -> None:
    answer = reader(f"{API}/tree/main?{query}")
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


def test_paths_info_tells_of_files_and_folders_that_are_there(mirrored: Repo, reader: Ask) -> None:
    paths = ["vae", "config.json", "config.json", "nothing", "old/weights.bin"]
    answer = reader(f"{API}/paths-info/main", "post", json.dumps({"paths": paths}))
    assert [(line["type"], line["path"]) for line in answer.json()] == [
        ("directory", "vae"),
        ("file", "config.json"),
    ]


@pytest.mark.parametrize("body", ["{}", "[]", '{"paths": [1]}', '{"paths": null}', "{"])
def test_paths_that_are_none_are_refused_with_400(mirrored: Repo, reader: Ask, body: str) -> None:
    assert reader(f"{API}/paths-info/main", "post", body).status_code == 400


def test_refs_sort_what_is_tracked(hub: Hub, mirrored: Repo, reader: Ask) -> None:
    hub.huggingface[NAME].pull_request(3, {"new.json": "{}"})
    request, _ = registering.register(NAME, "refs/pr/3")
    sync(request)
    told = reader(f"{API}/refs?include_prs=1").json()
    assert [one["name"] for one in told["branches"]] == ["main"]
    assert told["branches"][0]["targetCommit"] == mirrored.commit
    assert [one["ref"] for one in told["pullRequests"]] == ["refs/pr/3"]


def test_whoami_names_the_owner_of_the_key(reader: Ask) -> None:
    told = reader("api/whoami-v2").json()
    assert told["name"] == "reader"
    assert told["auth"]["accessToken"]["displayName"] == "client"


# Files


def test_head_of_a_large_file_tells_size_and_sha256(mirrored: Repo, reader: Ask) -> None:
    answer = reader(f"{RESOLVE}/{MODEL}", "head")
    sha256 = WEIGHTS.sha256
    assert answer.status_code == 200
    assert answer["ETag"] == f'"{sha256}"' == answer["X-Linked-ETag"]
    assert answer["X-Linked-Size"] == str(WEIGHTS.size) == answer["Content-Length"]
    assert answer["X-Repo-Commit"] == mirrored.commit
    assert "X-Forge-Handoff" not in answer


def test_head_of_a_small_file_tells_its_name_in_git(mirrored: Repo, reader: Ask) -> None:
    data = str(FILES["config.json"]).encode()
    answer = reader(f"{RESOLVE}/config.json", "head")
    blob = b"blob %d\0%b" % (len(data), data)
    assert answer["ETag"] == f'"{hashlib.sha1(blob, usedforsecurity=False).hexdigest()}"'
    assert "X-Linked-ETag" not in answer


def test_bytes_are_left_to_the_front(mirrored: Repo, reader: Ask) -> None:
    answer = reader(f"{RESOLVE}/{MODEL}", Range="bytes=5-9")
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes 5-9/{WEIGHTS.size}"
    told = ticket(answer)
    assert (told["kind"], told["start"], told["length"]) == ("file", 5, 5)
    assert told["path"] == str(configured.store().blob(WEIGHTS.sha256))
    assert told["sha256"] == ""


def test_front_server_gets_the_path_below_the_models_folder(
    mirrored: Repo, reader: Ask, settings: Settings
) -> None:
    settings.SENDFILE_PREFIX = "/protected/"
    answer = reader(f"{RESOLVE}/{MODEL}")
    sha256 = WEIGHTS.sha256
    assert answer["X-Accel-Redirect"] == f"/protected/blobs/sha256/{sha256[:2]}/{sha256}"
    assert "X-Forge-Handoff" not in answer


def test_file_written_to_since_it_was_verified_is_read_first(
    mirrored: Repo, reader: Ask, settings: Settings
) -> None:
    settings.SENDFILE_PREFIX = "/protected/"
    blob = configured.store().blob(WEIGHTS.sha256)
    later = blob.stat().st_mtime + 3600
    os.utime(blob, (later, later))
    answer = reader(f"{RESOLVE}/{MODEL}")
    assert ticket(answer)["sha256"] == WEIGHTS.sha256
    assert "X-Accel-Redirect" not in answer


@pytest.mark.parametrize("method", ["get", "head"])
def test_lost_or_shortened_bytes_are_an_error_of_ours(
    mirrored: Repo, reader: Ask, method: str
) -> None:
    blob = configured.store().blob(WEIGHTS.sha256)
    blob.chmod(0o644)
    os.truncate(blob, 10)
    short = reader(f"{RESOLVE}/{MODEL}", method)
    blob.unlink()
    lost = reader(f"{RESOLVE}/{MODEL}", method)
    assert (short.status_code, lost.status_code) == (500, 500)
    assert "X-Forge-Handoff" not in short


def test_version_that_the_client_has_is_not_sent_again(mirrored: Repo, reader: Ask) -> None:
    answer = reader(f"{RESOLVE}/{MODEL}", If_None_Match=f'"{WEIGHTS.sha256}"')
    assert answer.status_code == 304
    assert "X-Forge-Handoff" not in answer


def test_range_beyond_the_end_is_refused(mirrored: Repo, reader: Ask) -> None:
    answer = reader(f"{RESOLVE}/{MODEL}", Range="bytes=99999999-")
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{WEIGHTS.size}"


# Commits


def test_branch_stands_for_the_commit_that_its_folder_shows(
    hub: Hub, mirrored: Repo, reader: Ask
) -> None:
    hub.huggingface[NAME].commit({"added.safetensors": WEIGHTS})
    assert sync(mirrored).status == "succeeded"
    newer = registering.get(mirrored.pk).commit
    assert newer != mirrored.commit
    assert reader(API).json()["sha"] == mirrored.commit
    assert reader(f"{API}/revision/{newer}").json()["sha"] == newer
    mirror(registering.get(mirrored.pk))
    assert reader(API).json()["sha"] == newer
    assert reader(f"{API}/revision/{mirrored.commit}").json()["sha"] == mirrored.commit
    assert reader(f"{NAME}/resolve/{mirrored.commit}/{MODEL}", "head").status_code == 200


def test_files_of_a_commit_are_those_of_all_revisions_at_it(
    hub: Hub, mirrored: Repo, reader: Ask
) -> None:
    hub.huggingface[NAME].tag("v1")
    tagged, _ = registering.register(NAME, "v1")
    sync(tagged)
    assert Snapshot.objects.filter(commit=mirrored.commit).count() == 2
    siblings = reader(f"{API}/revision/v1").json()["siblings"]
    assert [sibling["rfilename"] for sibling in siblings] == SERVED


@pytest.mark.parametrize("trust", ["mismatch", "unverified"])
def test_file_that_is_not_trusted_is_neither_listed_nor_served(
    mirrored: Repo, reader: Ask, trust: str
) -> None:
    RepoFile.objects.filter(path=MODEL).update(trust=trust)
    assert reader(f"{RESOLVE}/{MODEL}").status_code == 404
    assert MODEL not in reader(API).content.decode()


def test_file_that_was_overridden_is_told_by_its_own_digest(mirrored: Repo, reader: Ask) -> None:
    RepoFile.objects.filter(path="config.json").update(trust="overridden")
    data = str(FILES["config.json"]).encode()
    assert reader(f"{RESOLVE}/config.json", "head")["ETag"] == (
        f'"{hashlib.sha256(data).hexdigest()}"'
    )


# Refusals


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("api/models/forge/none", 404, "RepoNotFound"),
        ("forge/none/resolve/main/a", 404, "RepoNotFound"),
        (f"{API}/revision/none", 404, "RevisionNotFound"),
        (f"{API}/tree/none", 404, "RevisionNotFound"),
        (f"{NAME}/resolve/none/config.json", 404, "RevisionNotFound"),
        (f"{RESOLVE}/none.json", 404, "EntryNotFound"),
        (f"{RESOLVE}/old/weights.bin", 404, "EntryNotFound"),
        (f"{RESOLVE}/../../../etc/passwd", 404, "EntryNotFound"),
        (f"{RESOLVE}/%00", 404, "EntryNotFound"),
        (f"{API}/tree/main/none", 404, "EntryNotFound"),
    ],
)
def test_what_is_not_here_is_refused_in_the_hubs_form(
    mirrored: Repo, reader: Ask, path: str, status: int, code: str
) -> None:
    answer = reader(path)
    assert answer.status_code == status
    assert answer["X-Error-Code"] == code
    assert answer["X-Error-Message"]
    assert list(answer.json()) == ["error"]


def test_file_that_was_not_downloaded_says_how_to(synced: Repo, reader: Ask) -> None:
    answer = reader(f"{RESOLVE}/{MODEL}")
    assert answer["X-Error-Code"] == "EntryNotFound"
    assert answer["X-Repo-Commit"] == synced.commit
    assert "POST /v1/downloads" in answer.json()["error"]


def test_wrong_key_is_told_in_the_words_that_clients_compare(mirrored: Repo, reader: Ask) -> None:
    answer = reader(API, Authorization="Bearer dfk_nonsense")
    assert answer.status_code == 401
    assert answer["X-Error-Message"] == "Invalid credentials in Authorization header"


@pytest.mark.parametrize(("scope", "status"), [("read", 200), ("models", 200), ("jobs", 403)])
def test_key_needs_one_of_two_scopes(
    mirrored: Repo, settings: Settings, scope: str, status: int
) -> None:
    settings.AUTH_REQUIRED = True
    ask = asking(User.objects.create_user("narrow"), scope)
    assert ask(API).status_code == status


def test_methods_that_write_are_refused(mirrored: Repo, reader: Ask) -> None:
    assert reader(API, "delete").status_code == 405
    assert reader(f"{API}/tree/main", "post", "{}").status_code == 405
    assert reader(f"{RESOLVE}/config.json", "put").status_code == 405


@pytest.mark.parametrize(
    "path", [f"{RESOLVE}/%00", f"{NAME}/resolve/%00/x", f"{API}?revision=%00", f"{API}/tree/%00"]
)
def test_nul_in_an_address_is_answered_before_a_database_is_asked(
    mirrored: Repo, reader: Ask, path: str
) -> None:
    answer = reader(path)
    assert answer.status_code == 404
    assert "NUL" in answer.json()["error"]


def test_revision_that_nobody_has_seen_hides_no_folder_of_one_that_is_known(
    mirrored: Repo, reader: Ask
) -> None:
    registering.register(NAME, "main/unet")
    assert reader(f"{RESOLVE}/{MODEL}").status_code == 200


def test_list_of_a_repository_takes_few_queries(
    mirrored: Repo, reader: Ask, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(8):
        reader(f"{API}/tree/main?recursive=true")
    with django_assert_max_num_queries(8):
        reader(f"{RESOLVE}/{MODEL}")


def test_pointer_of_a_large_file_is_named_as_git_names_it() -> None:
    oid = holdings.pointer_oid("0" * 64, 5)
    words = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n"
    blob = b"blob %d\0%b" % (len(words), words)
    assert oid == hashlib.sha1(blob, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("path", ["", "api", "api/datasets/acme/tiny", "acme/tiny", "api/models"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_address_that_is_none_is_told_in_the_hubs_form(
    reader: Ask, path: str, method: str
) -> None:
    answer = reader(path, method)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]
    assert answer["X-Error-Message"] == answer.json()["error"]
    assert "X-Error-Code" not in answer


def test_the_address_of_the_mirror_itself_is_told_in_the_hubs_form(client: Client) -> None:
    assert list(client.get("/hf").json()) == ["error"]
