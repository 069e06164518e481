"""Folders that came with a descriptor of somebody else's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from downloader import configured
from downloader.hub import registering
from downloader.hub.models import Repo, RepoFile
from downloader.library import revisions, strangers
from downloader.library.errors import InvalidFile, UnsafeName
from tests.downloader.hub.conftest import NAME, WEIGHTS, mirror, sync
from tests.downloader.hub.disk import put, rescan, scan, states
from tests.hubs import Hub

pytestmark = pytest.mark.django_db

FORGED = b'{"forged": true}'
SHA256 = hashlib.sha256(FORGED).hexdigest()
COMMIT = "c" * 40


def descriptor(**changes: Any) -> dict[str, Any]:
    file = {"path": "config.json", "sha256": SHA256, "size": len(FORGED), "trust": "verified"}
    entry = {**file, "source_digest": f"sha256:{SHA256}", **changes.pop("file", {})}
    said = {"source": "hf", "repo": NAME, "revision": "main", "commit": COMMIT, **changes}
    return {**said, "files_json": [entry]}


@pytest.fixture
def forge(models_root: Path) -> Any:
    """Puts a folder of this descriptor on the disk, its bytes a blob that was adopted before."""

    def put_it(folder: str = f"{NAME}/main", **changes: Any) -> dict[str, Any]:
        put(models_root, {"acme/x/config.json": FORGED})
        scan()
        told = descriptor(**changes)
        put(models_root, {f"{folder}/.dreamforge.json": json.dumps(told)})
        return scan()

    return put_it


@pytest.mark.parametrize(
    "changes",
    [
        {"repo": "other/model"},
        {"repo": "../../etc"},
        {"revision": "v2"},
        {"commit": "main"},
        {"source": "elsewhere"},
        {"repo": "forge/sketch\0"},
        {"file": {"path": "../../../config.json"}},
        {"file": {"path": "/etc/passwd"}},
        {"file": {"path": "a\0b"}},
        {"file": {"sha256": "../../secret"}},
        {"file": {"size": -1}},
        {"file": {"size": 1e400}},
        {"file": {"source_digest": "git-sha1:" + "1" * 40}},
        {"file": {"source_digest": "sha256:" + "1" * 64}},
        {"file": {"source_digest": None}},
    ],
    ids=str,
)
def test_a_folder_that_says_what_cannot_be_so_is_left(
    db: None, forge: Any, changes: dict[str, Any]
) -> None:
    told = forge(**changes)
    assert f"{NAME}/main" in told["left"]
    assert not Repo.objects.filter(source="hf").exists()


def test_a_name_that_no_row_has_room_for_is_left(db: None, forge: Any) -> None:
    name = f"acme/{'a' * 120}"
    told = forge(f"{name}/main", source="local", repo=name)
    assert f"{name}/main" in told["left"]


def test_an_operators_word_that_nobody_gave_here_counts_for_nothing(db: None, forge: Any) -> None:
    assert forge(file={"trust": "overridden"})["restored"] == [f"{NAME}@main"]
    assert RepoFile.objects.get(snapshot__commit=COMMIT).trust == "local"


def test_a_sync_puts_right_what_a_folder_said_of_its_commit(
    hub: Hub, upstream: str, db: None, forge: Any
) -> None:
    real = hub.huggingface[NAME].branches["main"]
    more = {"path": "unet/model.safetensors"}
    assert forge(commit=real, file=more)["restored"] == [f"{NAME}@main"]
    repo = Repo.objects.get(source="hf")
    assert states(repo) == {"unet/model.safetensors": ("done", "verified")}
    sync(repo)
    assert states(registering.get(repo.pk))["unet/model.safetensors"] == ("pending", "unverified")
    row = RepoFile.objects.get(snapshot__commit=real, path="unet/model.safetensors")
    assert (row.digest, row.size_bytes) == (f"sha256:{WEIGHTS.sha256}", WEIGHTS.size)


def test_a_file_that_its_source_does_not_list_goes_off_the_list(
    hub: Hub, upstream: str, db: None, forge: Any
) -> None:
    forge(commit=hub.huggingface[NAME].branches["main"], file={"path": "more.json"})
    repo = Repo.objects.get(source="hf")
    sync(repo)
    assert "more.json" not in states(registering.get(repo.pk))


def test_a_sync_completes_the_list_of_a_folder_that_came_back(synced: Repo) -> None:
    mirror(synced, "unet/")
    Repo.objects.all().delete()
    scan()
    repo = Repo.objects.get()
    assert repo.is_downloaded
    sync(repo)
    repo = registering.get(repo.pk)
    assert not repo.is_downloaded
    assert states(repo)["vae/model.safetensors"] == ("pending", "unverified")
    assert states(repo)["unet/model.safetensors"] == ("done", "verified")


def test_a_rescan_does_not_take_a_descriptors_word_for_a_digest(
    synced: Repo, models_root: Path, forge: Any
) -> None:
    assert synced.snapshot
    row = synced.snapshot.files.get(path="unet/config.json")
    RepoFile.objects.filter(pk=row.pk).update(status="pending", sha256="", size_bytes=len(FORGED))
    forge("forge/z/main", repo="forge/z", file={"source_digest": row.digest})  # it is read last
    assert rescan(synced)["found"] == 0
    assert states(synced)["unet/config.json"][0] == "pending"


def test_nothing_outside_a_folder_is_ever_dropped_with_it(
    db: None, models_root: Path, tmp_path: Path
) -> None:
    put(models_root, {f"{NAME}/main/.dreamforge.json": "{}", f"{NAME}/main/mine.txt": "x"})
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = revisions.folder_of(NAME, "main")
    with pytest.raises(UnsafeName):
        strangers.remove_folder(configured.store(), folder, {"../../../../outside"})
    assert outside.read_text() == "precious"


def test_a_descriptor_with_a_hostile_path_cannot_be_read(db: None, models_root: Path) -> None:
    told = descriptor(file={"path": "../../../../outside"})
    put(models_root, {f"{NAME}/main/.dreamforge.json": json.dumps(told)})
    with pytest.raises(InvalidFile):
        revisions.read(revisions.folder_of(NAME, "main"), configured.store())
