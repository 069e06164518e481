"""The store, or one repository, moves to another root, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from downloader import configured
from downloader.hub import moving, registering
from downloader.hub.models import Repo
from downloader.library import moving as library
from downloader.library.checksums import Computed
from downloader.library.errors import Busy, Canceled, InvalidFile, NoSpace, Refused
from downloader.library.store import Store
from downloader.library.watch import Control
from tests.downloader.conftest import downloaded
from tests.downloader.hub.conftest import NAME, WEIGHTS, mirror
from tests.downloader.hub.test_scrubbing import blob, flip
from tests.hubs import Hub

pytestmark = pytest.mark.django_db

UNET = "unet/model.safetensors"


def quiet(*_: object) -> None:
    pass


def move(to: Path, repo: Repo | None = None, *, delete_old: bool = False) -> moving.Outcome:
    return moving.move(configured.store(), to, Control(), quiet, repo=repo, delete_old=delete_old)


@pytest.fixture
def mirrored(synced: Repo) -> Repo:
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "models"


def files(root: Path) -> dict[str, bytes]:
    """What people see, without the store's own notes."""
    paths = [p for p in root.rglob("*") if p.is_file()]
    shown = {str(p.relative_to(root)): p.read_bytes() for p in paths}
    return {path: data for path, data in shown.items() if path[0] != "." and "/.lock" not in path}


def test_the_new_root_shows_what_the_old_one_shows(
    mirrored: Repo, hub: Hub, models_root: Path, to: Path
) -> None:
    hub.huggingface.add("forge/xl", {"xl.safetensors": WEIGHTS})
    assert downloaded("hf:forge/xl").status == "succeeded"
    before = files(models_root)
    outcome = move(to)
    assert files(to) == before == files(models_root)
    assert outcome.moved.copied_bytes == outcome.plan.bytes_total
    assert (to / NAME / "main" / UNET).samefile(Store(to).blob(blob().name))


def test_the_old_place_is_emptied_only_when_asked(
    mirrored: Repo, models_root: Path, to: Path
) -> None:
    move(to)
    assert (models_root / NAME / "main" / UNET).exists()
    outcome = move(to, delete_old=True)
    assert (outcome.moved.copied, outcome.freed_bytes) == (0, outcome.plan.bytes_total)
    assert not list(models_root.glob("blobs/sha256/*/*"))
    assert not (models_root / NAME).exists()
    assert (to / NAME / "main" / UNET).read_bytes() == WEIGHTS.read()


def test_a_stopped_move_goes_on_where_it_was(
    mirrored: Repo, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Control()
    copied: list[str] = []

    def told(sha256: str, *_: object) -> None:
        copied.append(sha256)
        if len(copied) == 2:
            control.cancel()

    with pytest.raises(Canceled):
        moving.move(configured.store(), to, control, told)
    outcome = move(to)
    assert outcome.moved.here == 2
    assert outcome.moved.copied == len(outcome.plan.sizes) - 2


def test_one_repository_moves_alone(mirrored: Repo, hub: Hub, models_root: Path, to: Path) -> None:
    hub.huggingface.add("forge/other", {"other.safetensors": WEIGHTS, "config.json": "{}"})
    other = registering.register("forge/other")[0]
    assert mirror(other).status == "succeeded"
    outcome = move(to, mirrored, delete_old=True)
    assert (to / NAME / "main" / UNET).exists()
    assert not (to / "forge/other").exists()
    assert not (models_root / NAME).exists()
    assert (models_root / "forge/other/main/other.safetensors").read_bytes() == WEIGHTS.read()
    assert outcome.freed_bytes < outcome.plan.bytes_total  # the other one needs its weights
    assert not registering.get(mirrored.pk).is_downloaded


def test_damaged_bytes_are_told_of_and_keep_the_old_place(
    mirrored: Repo, models_root: Path, to: Path
) -> None:
    damaged = blob()
    flip(damaged)
    assert move(to).moved.damaged == [damaged.name]
    with pytest.raises(InvalidFile, match="1 blobs are damaged"):
        move(to, delete_old=True)
    assert (models_root / NAME / "main/vae/model.safetensors").exists()


def test_bytes_that_arrive_damaged_stop_the_move(
    mirrored: Repo, models_root: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = library._copy_bytes

    def bad(layout: object, sha256: str, part: Path, control: Control) -> Computed:
        found = copy(layout, sha256, part, control)  # type: ignore[arg-type]
        with part.open("r+b") as file:
            file.write(b"\xff")
        return found

    monkeypatch.setattr(library, "_copy_bytes", bad)
    with pytest.raises(InvalidFile, match="did not arrive whole"):
        move(to, delete_old=True)
    assert (models_root / NAME / "main" / UNET).read_bytes() == WEIGHTS.read()


def test_files_that_are_not_the_stores_are_told_of(
    mirrored: Repo, models_root: Path, to: Path
) -> None:
    (models_root / "notes.txt").write_text("mine")
    outcome = move(to, delete_old=True)
    assert outcome.left == ("notes.txt",)
    assert (models_root / "notes.txt").read_text() == "mine"


def test_a_full_disk_is_noticed_before_a_byte_is_copied(
    mirrored: Repo, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "SPARE_BYTES", 1 << 60)
    with pytest.raises(NoSpace):
        move(to)
    assert not list(to.glob("blobs/sha256/*/*"))


@pytest.mark.parametrize("where", ["", "inside", ".."])
def test_roots_do_not_lie_in_one_another(mirrored: Repo, models_root: Path, where: str) -> None:
    with pytest.raises(Refused):
        move(models_root / where)


def test_a_root_needs_its_whole_path(mirrored: Repo) -> None:
    with pytest.raises(Refused, match="whole path"):
        move(Path("models"))


def test_two_moves_to_one_place_do_not_mix(mirrored: Repo, to: Path) -> None:
    other = Store(to)
    lease = other.lock_now(moving.LOCK)
    assert lease is not None
    with pytest.raises(Busy, match="Another move"):
        move(to)
    other.let_go(lease)
    assert move(to).moved.copied > 0


def test_nothing_is_deleted_of_a_place_that_changed_while_it_was_copied(
    synced: Repo, models_root: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(synced, UNET)
    copy = library.copy

    def slowly(*given: Any) -> Any:
        mirror(synced, "vae/")  # a worker has gone on meanwhile
        return copy(*given)

    monkeypatch.setattr(library, "copy", slowly)
    with pytest.raises(Busy, match="changed"):
        move(to, delete_old=True)
    assert (models_root / NAME / "main/vae/model.safetensors").exists()
    monkeypatch.setattr(library, "copy", copy)
    move(to, delete_old=True)
    assert (to / NAME / "main/vae/model.safetensors").exists()
