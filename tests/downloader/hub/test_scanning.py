"""Models on the disk join the hub where they lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from downloader import configured
from downloader.hub import registering, scanning
from downloader.hub.models import Repo, RepoFile, Scanned
from downloader.hub.voices import PlainVoice
from downloader.library import adoption, revisions
from downloader.library.checksums import Computed
from downloader.library.errors import Busy
from downloader.library.layouts import Seen
from downloader.library.store import Terms
from downloader.library.watch import Control
from jobs.errors import InvalidParams
from registry.models import Model
from tests.downloader.conftest import downloaded
from tests.downloader.hub.conftest import FILES, NAME, OTHER_WEIGHTS, WEIGHTS, mirror
from tests.downloader.hub.disk import put, run, scan, states
from tests.hubs import Content, Hub, models

pytestmark = pytest.mark.django_db

UPSTREAM: Any = FILES
HERE: dict[str, Content | str | bytes] = {
    path: content for path, content in UPSTREAM.items() if not path.endswith(".bin")
}


@pytest.fixture
def root(models_root: Path) -> Path:
    models_root.mkdir(parents=True)
    return models_root


def whole_disk(root: Path) -> int:
    """Bytes of every file below, each once."""
    found = [path.lstat() for path in root.rglob("*.safetensors") if not path.is_symlink()]
    found += [path.stat() for path in root.glob("blobs/sha256/*/*")]
    return sum({one.st_ino: one.st_size for one in found}.values())


def test_a_folder_joins_as_a_repository_of_its_own(db: None, root: Path) -> None:
    put(root, {"acme/xl/model_index.json": "{}", "acme/xl/unet/w.safetensors": WEIGHTS})
    told = scan()
    assert (told["adopted"], told["left_count"]) == (2, 0)
    repo = Repo.objects.get()
    assert (repo.source, repo.full_name, repo.revision) == ("local", "acme/xl", "main")
    assert states(repo) == {
        "model_index.json": ("done", "local"),
        "unet/w.safetensors": ("done", "local"),
    }
    assert repo.is_downloaded
    shown = root / "acme/xl/main"
    assert (shown / "unet/w.safetensors").read_bytes() == WEIGHTS.read()
    assert (root / "acme/xl/unet/w.safetensors").samefile(shown / "unet/w.safetensors")


def test_what_it_is_is_told_by_its_descriptions_and_tensors(db: None, root: Path) -> None:
    said = '{"_name_or_path": "acme/forge-xl", "model_type": "forge", "architectures": ["Forge"]}'
    put(root, {"forge-xl/config.json": said, "forge-xl/w.safetensors": WEIGHTS})
    scan()
    repo = Repo.objects.get()
    assert repo.full_name == "acme/forge-xl"
    assert repo.metadata == {
        "model_type": "forge",
        "architectures": ["Forge"],
        "kind": "sdxl-checkpoint",
        "scanned_from": "forge-xl",
    }


@pytest.mark.parametrize(
    "said",
    ["[" * 100_000, "null", '{"_name_or_path": "../../x", "model_type": 7}', "{" + " " * (1 << 20)],
)
def test_a_description_that_makes_no_sense_says_nothing(db: None, root: Path, said: str) -> None:
    put(root, {"forge-xl/config.json": said, "forge-xl/w.safetensors": WEIGHTS})
    scan()
    repo = Repo.objects.get()
    assert (repo.full_name, repo.metadata["kind"]) == ("forge-xl", "sdxl-checkpoint")
    assert "model_type" not in repo.metadata


def test_nothing_is_copied(db: None, root: Path) -> None:
    put(root, {"acme/xl/config.json": "{}", "acme/xl/w.safetensors": WEIGHTS})
    scan()
    size = len(WEIGHTS.read())
    assert size <= whole_disk(root) < size + 100


def test_a_revisions_own_folder_is_adopted_as_it_stands(db: None, root: Path) -> None:
    put(root, {"acme/xl/v2/config.json": "{}", "acme/xl/v2/w.safetensors": WEIGHTS})
    inode = (root / "acme/xl/v2/w.safetensors").stat().st_ino
    scan()
    repo = Repo.objects.get()
    assert (repo.revision, repo.snapshot and repo.snapshot.folder) == ("v2", "acme/xl/v2")
    assert (root / "acme/xl/v2/w.safetensors").stat().st_ino == inode
    assert (root / "acme/xl/v2/.dreamforge.json").exists()


def test_a_second_scan_reads_nothing(db: None, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, {"acme/xl/config.json": "{}", "acme/xl/w.safetensors": WEIGHTS})
    put(root, {"acme/own/v2/config.json": "{}", "loras/film.safetensors": OTHER_WEIGHTS})
    scan()
    monkeypatch.setattr(adoption, "read", lambda *_: pytest.fail("a file was read"))
    told = scan()
    assert (told["hashed"], told["adopted"], told["left_count"]) == (0, 0, 0)
    assert told["unchanged"] >= 3


def test_a_rescan_of_twenty_sparse_gigabytes_reads_nothing(
    db: None, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, {f"acme/m{at}/config.json": "{}" for at in range(4)})
    for at in range(4):
        with (root / f"acme/m{at}/w.safetensors").open("wb") as file:
            file.truncate(5 << 30)
    read: list[str] = []

    def counted(_store: object, folder: object, seen: Seen, *_: object) -> Computed:
        read.append(f"{folder}/{seen.path}")
        digest = "".join(f"{ord(c):02x}" for c in f"{folder}/{seen.path}")
        return Computed(seen.size, digest.ljust(64, "0")[:64])

    monkeypatch.setattr(adoption, "read", counted)
    assert scan()["hashed_bytes"] >= 20 << 30
    assert len(read) == 8
    read.clear()
    assert scan()["unchanged"] >= 8
    assert read == []


def test_only_what_changed_is_read_again(db: None, root: Path) -> None:
    put(root, {"acme/a/config.json": "{}", "acme/b/config.json": "{}"})
    scan()
    put(root, {"acme/c/config.json": '{"new": 1}'})
    told = scan()
    assert (told["hashed"], told["adopted"]) == (1, 1)


def test_known_files_are_matched_to_their_commit_by_digest(
    synced: Repo, models_root: Path, hub: Hub
) -> None:
    put(models_root, {f"old-disk/sketch/{path}": content for path, content in HERE.items()})
    told = scan("old-disk")
    assert told["repos"] == [str(synced)]
    repo = registering.get(synced.pk)
    assert {states(repo)[path] for path in HERE} == {("done", "verified")}
    assert repo.is_downloaded
    shown = models_root / NAME / "main"
    assert (shown / "unet/model.safetensors").samefile(
        models_root / "old-disk/sketch/unet/model.safetensors"
    )
    assert hub.bytes_sent("*.safetensors") == 0


def test_a_file_whose_source_publishes_no_digest_is_trusted_as_ours(
    synced: Repo, models_root: Path
) -> None:
    RepoFile.objects.filter(path="unet/config.json").update(
        digest="", status="pending", sha256="", trust="unverified"
    )
    put(models_root, {f"disk/a/b/sketch/{path}": content for path, content in HERE.items()})
    scan("disk")
    assert states(registering.get(synced.pk))["unet/config.json"] == ("done", "local")


def test_a_single_file_is_matched_whatever_it_is_called(synced: Repo, models_root: Path) -> None:
    put(models_root, {"unets/mine.safetensors": WEIGHTS, "unets/x.safetensors": b"\0" * 64})
    scan("unets")
    repo = registering.get(synced.pk)
    assert states(repo)["unet/model.safetensors"] == ("done", "verified")
    assert states(repo)["vae/model.safetensors"][0] == "pending"


def test_a_changed_description_is_left_beside_matching_weights(
    synced: Repo, models_root: Path
) -> None:
    mine = {**HERE, "config.json": '{"mine": true}', "extra.json": "{}"}
    put(models_root, {f"disk/sketch/{path}": content for path, content in mine.items()})
    left = scan("disk")["left"]
    assert "differs from that of forge/sketch" in left["disk/sketch/config.json"]
    assert "is no file of forge/sketch" in left["disk/sketch/extra.json"]
    assert (models_root / "disk/sketch/config.json").read_text() == '{"mine": true}'


def test_changed_weights_make_it_a_model_of_its_own(synced: Repo, models_root: Path) -> None:
    mine = {**HERE, "vae/model.safetensors": models.vae(seed=9)}
    put(models_root, {f"disk/sketch/{path}": content for path, content in mine.items()})
    scan("disk")
    own = Repo.objects.get(source="local")
    assert own.full_name == "disk/sketch"
    assert len(states(own)) == len(mine)
    assert states(registering.get(synced.pk))["vae/model.safetensors"][0] == "pending"


def test_the_folder_of_a_commit_joins_as_the_hubs(db: None, root: Path) -> None:
    commit = "0a" * 20
    put(root, {f"acme/xl/{commit}/config.json": "{}", f"acme/xl/{commit}/w.safetensors": WEIGHTS})
    scan()
    repo = Repo.objects.get()
    assert (repo.source, repo.full_name, repo.revision) == ("hf", "acme/xl", commit)
    assert repo.status == "registered"
    assert repo.is_downloaded


def test_pickles_are_reported_and_stay(db: None, root: Path, settings: Settings) -> None:
    put(root, {"acme/xl/v1/config.json": "{}", "acme/xl/v1/w.bin": b"\x80\x04pickle"})
    told = scan()
    assert "pickle" in told["left"]["acme/xl/v1/w.bin"]
    assert (root / "acme/xl/v1/w.bin").read_bytes() == b"\x80\x04pickle"
    assert states(Repo.objects.get()) == {"config.json": ("done", "local")}


def test_what_was_left_survives_a_later_download_of_the_same_revision(
    repo: Repo, models_root: Path
) -> None:
    put(models_root, {f"{NAME}/main/notes.safetensors": OTHER_WEIGHTS})
    put(models_root, {f"{NAME}/main/mine.bin": b"\x80\x04pickle"})
    job = mirror(repo)
    assert job.status == "succeeded", job.error_message
    shown = models_root / NAME / "main"
    assert (shown / "mine.bin").read_bytes() == b"\x80\x04pickle"
    assert (shown / "notes.safetensors").read_bytes() == OTHER_WEIGHTS.read()
    assert (shown / "unet/model.safetensors").exists()


def test_a_download_does_not_replace_a_file_that_nobody_downloaded(
    repo: Repo, models_root: Path
) -> None:
    put(models_root, {f"{NAME}/main/config.json": '{"mine": true}'})
    job = mirror(repo)
    assert job.status == "failed"
    assert "config.json" in job.error_message
    assert "Scan the folder" in job.error_message
    assert (models_root / NAME / "main/config.json").read_text() == '{"mine": true}'


def test_a_file_that_is_open_for_writing_is_left_and_joins_later(db: None, root: Path) -> None:
    put(root, {"acme/xl/config.json": "{}", "acme/xl/w.safetensors": WEIGHTS})
    with (root / "acme/xl/w.safetensors").open("r+b"):
        assert "being written" in scan()["left"]["acme/xl/w.safetensors"]
    told = scan()
    assert told["left_count"] == 0
    assert states(Repo.objects.get())["w.safetensors"] == ("done", "local")


def test_a_link_out_of_the_store_is_not_followed(db: None, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    put(root, {"acme/xl/config.json": "{}"})
    (root / "acme/xl/more.json").symlink_to(tmp_path / "secret.json")
    assert "link" in scan()["left"]["acme/xl/more.json"]
    assert (tmp_path / "secret.json").stat().st_nlink == 1


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", ".staging", "blobs"])
def test_a_folder_outside_the_store_is_refused_at_the_door(db: None, root: Path, path: str) -> None:
    with pytest.raises(InvalidParams):
        run("scan", path=path)


def test_a_folder_that_is_not_there_fails_with_its_name(db: None, root: Path) -> None:
    job = run("scan", path="acme/none")
    assert (job.status, job.error_code) == ("failed", "invalid_input")
    assert "acme/none" in job.error_message


def test_a_file_of_the_folder_that_changes_makes_a_new_listing(db: None, root: Path) -> None:
    put(root, {"acme/xl/v1/config.json": "{}", "acme/xl/v1/w.safetensors": WEIGHTS})
    scan()
    put(root, {"acme/xl/v1/extra.json": "[]"})
    scan()
    repo = Repo.objects.get()
    assert set(states(repo)) == {"config.json", "extra.json", "w.safetensors"}
    assert repo.snapshots.count() == 1
    store = configured.store()
    shown = revisions.read(revisions.folder_of("acme/xl", "v1"), store)
    assert shown
    assert len(shown.files) == 3


def test_two_scans_at_once_are_one(db: None, root: Path) -> None:
    put(root, {"acme/xl/config.json": "{}"})
    other = configured.store()
    lease = other.lock_now(scanning.LOCK)
    assert lease is not None
    with pytest.raises(Busy, match="Another scan"):
        scanning.walk(configured.store(), "", PlainVoice(Control(), lambda _line: None))
    other.let_go(lease)
    assert scan()["adopted"] == 1


def test_two_folders_of_one_name_are_not_mixed(db: None, root: Path) -> None:
    put(root, {"a/one/acme/xl/config.json": "{}", "a/two/acme/xl/config.json": "[]"})
    told = scan()
    assert "which a/one/acme/xl has already" in told["left"]["a/two/acme/xl/config.json"]
    assert Repo.objects.count() == 1


def test_the_same_bytes_twice_use_the_disk_once(db: None, root: Path) -> None:
    put(root, {"acme/a/config.json": "{}", "acme/a/w.safetensors": WEIGHTS})
    put(root, {"acme/b/config.json": "{}", "acme/b/w.safetensors": WEIGHTS})
    scan()
    assert (root / "acme/a/w.safetensors").samefile(root / "acme/b/w.safetensors")
    assert whole_disk(root) < len(WEIGHTS.read()) + 100


def test_a_revision_whose_rows_are_gone_comes_back(synced: Repo, models_root: Path) -> None:
    mirror(synced)
    Repo.objects.all().delete()
    told = scan()
    assert told["restored"] == [f"{NAME}@main"]
    repo = Repo.objects.get()
    assert repo.source == "hf"
    assert states(repo)["unet/model.safetensors"] == ("done", "verified")


def test_a_model_whose_row_is_gone_comes_back(checkpoint: str, db: None) -> None:
    job = downloaded(checkpoint)
    assert job.status == "succeeded", job.error_message
    Model.objects.all().delete()
    assert len(scan()["models"]) == 1
    assert Model.objects.get().installed


def test_files_that_are_gone_are_forgotten(db: None, root: Path) -> None:
    put(root, {"acme/xl/config.json": "{}"})
    scan()
    shutil.rmtree(root / "acme")
    scan()
    assert not Scanned.objects.exclude(path__startswith="blobs/").exists()


def test_a_scan_that_was_killed_after_adopting_finishes_the_next_time(
    db: None, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, {"acme/xl/config.json": "{}", "acme/xl/w.safetensors": WEIGHTS})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("downloader.hub.adopted.record", killed)
        with pytest.raises(KeyboardInterrupt):
            scanning.walk(configured.store(), "", PlainVoice(Control(), lambda _line: None))
    configured.store().collect(Terms(grace_s=0))
    assert (root / "acme/xl/w.safetensors").read_bytes() == WEIGHTS.read()
    scan()
    assert len(states(Repo.objects.get())) == 2
    assert os.listdir(root / ".staging") in ([], ["claims"])  # noqa: PTH208
