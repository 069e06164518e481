"""huggingface_hub's own client takes this for the real hub: what it is told and
what it downloads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import RemoteEntryNotFoundError
from huggingface_hub.hf_api import RepoFile, RepoFolder

from tests.hubs import Hub, faults, folders
from tests.hubs.conftest import CONFIG, ODD, REPO, WEIGHTS
from tests.hubs.huggingface import Repository

pytestmark = pytest.mark.pure


# What it is told


def test_a_repository_describes_itself(repository: Repository, api: HfApi) -> None:
    info = api.model_info(REPO)
    assert (info.id, info.author, info.sha) == (REPO, "author", repository.branches["main"])
    assert (info.private, info.gated, info.disabled) == (False, False, False)
    assert info.card_data is not None
    assert info.card_data.license == "mit"
    files = [file.rfilename for file in info.siblings or ()]
    assert files == ["a/b/c.txt", "config.json", "model.safetensors", ODD]


def test_sizes_and_digests_come_with_the_blobs(repository: Repository, api: HfApi) -> None:
    info = api.model_info(REPO, files_metadata=True)
    files = {file.rfilename: file for file in info.siblings or ()}
    large, small = files["model.safetensors"], files["config.json"]
    assert large.lfs is not None
    assert (large.lfs.size, large.lfs.sha256) == (WEIGHTS.size, WEIGHTS.sha256)
    assert large.lfs.pointer_size == len(faults.pointer(WEIGHTS))
    assert (small.lfs, small.size) == (None, len(CONFIG))
    git = ["git", "hash-object", "--stdin"]
    hashed = subprocess.run(git, input=CONFIG.encode(), capture_output=True, check=True)
    assert small.blob_id == hashed.stdout.decode().strip()
    hashed = subprocess.run(
        git, input=faults.pointer(WEIGHTS).encode(), capture_output=True, check=True
    )
    assert large.blob_id == hashed.stdout.decode().strip()


def test_only_what_is_asked_for_is_expanded(repository: Repository, api: HfApi) -> None:
    info = api.model_info(REPO, expand=["sha", "gated"])
    assert (info.id, info.sha, info.gated) == (REPO, repository.branches["main"], False)
    assert info.siblings is None


def test_branches_tags_and_pull_requests_are_listed(repository: Repository, api: HfApi) -> None:
    softer = repository.branch("feature/x", files={"new.txt": "new"})
    repository.tag("v1.0")
    proposed = repository.pull_request(3, {"config.json": None})
    refs = api.list_repo_refs(REPO, include_pull_requests=True)
    main = repository.branches["main"]
    assert {ref.name: ref.target_commit for ref in refs.branches} == {
        "main": main,
        "feature/x": softer,
    }
    assert [(ref.ref, ref.target_commit) for ref in refs.tags] == [("refs/tags/v1.0", main)]
    assert [(ref.ref, ref.target_commit) for ref in refs.pull_requests or ()] == [
        ("refs/pr/3", proposed)
    ]


@pytest.mark.parametrize("revision", ["feature/x", "refs/pr/3", "v1.0", "commit"])
def test_any_name_of_a_revision_is_understood(
    repository: Repository, api: HfApi, download: Callable[..., bytes], revision: str
) -> None:
    repository.branch("feature/x", files={"new.txt": "new"})
    repository.pull_request(3, {"new.txt": "new"})
    commit = repository.commit({"new.txt": "new"}, branch="other")
    repository.tag("v1.0", at="other")
    asked = commit if revision == "commit" else revision
    expected = repository.resolve(asked)
    assert api.model_info(REPO, revision=asked).sha == expected
    assert "new.txt" in api.list_repo_files(REPO, revision=asked)
    (found,) = api.get_paths_info(REPO, ["new.txt"], revision=asked)
    assert found.path == "new.txt"
    assert download("new.txt", revision=asked) == b"new"


def test_a_tree_lists_folders_and_files(repository: Repository, api: HfApi) -> None:
    top = {entry.path: type(entry) for entry in api.list_repo_tree(REPO)}
    assert top == {
        "a": RepoFolder,
        "sub folder": RepoFolder,
        "config.json": RepoFile,
        "model.safetensors": RepoFile,
    }
    below = [entry.path for entry in api.list_repo_tree(REPO, "a", recursive=True)]
    assert below == ["a/b", "a/b/c.txt"]
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree(REPO, "nowhere"))


def test_an_expanded_tree_knows_commits_and_scans(repository: Repository, api: HfApi) -> None:
    entries = list(api.list_repo_tree(REPO, recursive=True, expand=True))
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    assert {entry.last_commit.oid for entry in files if entry.last_commit} == {
        repository.branches["main"]
    }
    assert all(entry.security is not None and entry.security.safe for entry in files)
    assert len(files) == 4


def test_ten_thousand_files_come_in_ten_pages(hub: Hub, api: HfApi) -> None:
    names = [f"data/{number:05}.json" for number in range(9_999)]
    hub.huggingface.add("author/many", dict.fromkeys(names, b"{}"))
    listed = [entry.path for entry in api.list_repo_tree("author/many", recursive=True)]
    assert listed == ["data", *names]
    assert len(hub.requests.of("/api/models/author/many/tree/*")) == 10


def test_expanded_pages_are_smaller(hub: Hub, api: HfApi) -> None:
    hub.huggingface.add("author/many", {f"{number:03}.json": b"{}" for number in range(250)})
    assert len(list(api.list_repo_tree("author/many", expand=True))) == 250
    assert len(hub.requests.of("/api/models/author/many/tree/*")) == 3


def test_paths_are_described_and_unknown_ones_left_out(repository: Repository, api: HfApi) -> None:
    found = api.get_paths_info(REPO, ["model.safetensors", "a", "nope", ODD], expand=True)
    assert [entry.path for entry in found] == ["model.safetensors", "a", ODD]
    assert isinstance(found[0], RepoFile)
    assert found[0].lfs is not None
    assert found[0].lfs.sha256 == WEIGHTS.sha256


def test_repositories_are_found_by_words_and_author(hub: Hub, api: HfApi) -> None:
    for name in ("one/ink-xl", "one/other", "two/INK"):
        hub.huggingface.add(name)
    hub.huggingface.add("two/ink-private", private=True)
    assert [model.id for model in api.list_models(search="ink")] == ["one/ink-xl", "two/INK"]
    assert [model.id for model in api.list_models(author="one")] == ["one/ink-xl", "one/other"]


def test_history_goes_back_to_the_first_commit(repository: Repository, api: HfApi) -> None:
    first = repository.branches["main"]
    second = repository.commit({"more.txt": "more"}, title="More")
    found = [(commit.commit_id, commit.title) for commit in api.list_repo_commits(REPO)]
    assert found == [(second, "More"), (first, "initial commit")]


# What it downloads


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model.safetensors", WEIGHTS.read()),
        ("config.json", CONFIG.encode()),
        (ODD, b"odd"),
        ("a/b/c.txt", b"deep"),
    ],
)
def test_files_arrive_whole(
    repository: Repository, download: Callable[..., bytes], path: str, expected: bytes
) -> None:
    assert download(path) == expected


def test_a_snapshot_is_the_repository(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    made = folders.sdxl(variants=("fp16",))
    hub.huggingface.add(REPO, made)
    where = snapshot_download(REPO, endpoint=hub.endpoint, token=False, local_dir=tmp_path)
    assert Path(where) == tmp_path
    brought = {path: (tmp_path / path).read_bytes() for path in made}
    assert brought == {path: content.read() for path, content in made.items()}
    verified = api.verify_repo_checksums(REPO, local_dir=tmp_path)
    assert (verified.checked_count, verified.mismatches) == (len(made), [])


def test_a_wrong_byte_is_seen_by_its_own_check(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    hub.huggingface.add(REPO, {"a.safetensors": WEIGHTS})
    hub.faults.add(faults.FlippedBit(at=1000))
    snapshot_download(REPO, endpoint=hub.endpoint, token=False, local_dir=tmp_path)
    verified = api.verify_repo_checksums(REPO, local_dir=tmp_path)
    assert [mismatch["path"] for mismatch in verified.mismatches] == ["a.safetensors"]


def test_a_broken_transfer_is_resumed_by_range(
    hub: Hub,
    repository: Repository,
    download: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    hub.faults.add(faults.Truncated(at=1_000_000), "*/model.safetensors", times=1)
    assert download("model.safetensors") == WEIGHTS.read()
    ranges = [entry.range for entry in hub.requests.of(origin="cdn")]
    assert ranges == [None, "bytes=1000000-"]


def test_the_token_stays_at_home(
    hub: Hub, repository: Repository, download: Callable[..., bytes]
) -> None:
    assert download("model.safetensors", token=hub.huggingface.token) == WEIGHTS.read()
    sent = [entry.headers.get("authorization") for entry in hub.requests.of(origin="huggingface")]
    assert f"Bearer {hub.huggingface.token}" in sent
    assert hub.requests.of(origin="cdn")
    assert hub.leaks == []


@pytest.mark.parametrize("old", ["former/name", "lonely"])
def test_an_old_name_leads_to_the_new_one(
    hub: Hub, repository: Repository, api: HfApi, download: Callable[..., bytes], old: str
) -> None:
    hub.huggingface.rename(old, REPO)
    assert api.model_info(old).id == REPO
    assert next(iter(api.list_repo_tree(old))).path == "a"
    assert [entry.path for entry in api.get_paths_info(old, "config.json")] == ["config.json"]
    assert download("model.safetensors", old) == WEIGHTS.read()
    assert download("config.json", old) == CONFIG.encode()


def test_a_repository_may_have_no_owner(
    hub: Hub, api: HfApi, download: Callable[..., bytes]
) -> None:
    hub.huggingface.add("lonely", {"config.json": CONFIG, "a.safetensors": WEIGHTS})
    assert api.model_info("lonely").id == "lonely"
    assert sorted(api.list_repo_files("lonely")) == ["a.safetensors", "config.json"]
    assert download("config.json", "lonely") == CONFIG.encode()
    assert download("a.safetensors", "lonely") == WEIGHTS.read()


def test_its_command_line_downloads_from_here(
    hub: Hub, repository: Repository, tmp_path: Path
) -> None:
    variables = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    hf = str(Path(sys.executable).with_name("hf"))
    command = [hf, "download", REPO, "--local-dir", str(tmp_path / "here")]
    run = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "here" / "model.safetensors").read_bytes() == WEIGHTS.read()
    assert (tmp_path / "here" / ODD).read_bytes() == b"odd"
