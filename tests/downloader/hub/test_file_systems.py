"""The store on a real file system without hard links, symbolic links, permissions and upper case: a
FAT image, as a memory stick or many a network share has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from pytest_django import Settings

from downloader import configured
from downloader.hub import registering, removal
from downloader.hub.models import Repo
from downloader.library.store import How
from tests.downloader.hub.conftest import NAME, WEIGHTS, mirror
from tests.downloader.hub.disk import put, rescan, run, scan, states

pytestmark = pytest.mark.django_db

IMAGE_BYTES = 256 << 20  # a download leaves 64 MiB free
UNET = "unet/model.safetensors"


# Each a maker, a way to mount what it made, and what the two come with.
WAYS = (
    ("mkfs.vfat", ["mount", "-t", "vfat"], "dosfstools and the kernel's vfat"),
    ("mkfs.exfat", ["mount.exfat-fuse"], "exfatprogs, exfat-fuse and /dev/fuse"),
)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty FAT or exFAT file system: from an image, on a loop device, mounted."""
    folder = tmp_path_factory.mktemp("fat")
    image, at = folder / "image", folder / "mounted"
    at.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    device = _said(["losetup", "-f", "--show", str(image)])
    try:
        if not (device and any(_mounts(maker, way, device, at) for maker, way, _ in WAYS)):
            needs = " or ".join(told for _, _, told in WAYS)
            pytest.skip(f"no FAT image can be mounted here: it takes root, and {needs}")
        yield at
        subprocess.run(["umount", str(at)], check=True)
    finally:
        if device:
            subprocess.run(["losetup", "-d", device], check=True)


def _said(command: list[str]) -> str | None:
    """The output; None when it failed, or is not installed."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return None if done.returncode else done.stdout.strip()


def _mounts(maker: str, way: list[str], device: str, at: Path) -> bool:
    made = _said([maker, device]) is not None
    return made and _said([*way, device, str(at)]) is not None and at.is_mount()


@pytest.fixture
def root(disk: Path, models_root: Path, settings: Settings, request: pytest.FixtureRequest) -> Path:
    """A models root of this test's own on it."""
    root = disk / f"t{abs(hash(request.node.name)) % 10_000_000}"
    settings.MODELS_ROOT = root
    root.mkdir()
    return root


@pytest.fixture
def on_fat(synced: Repo, root: Path) -> Repo:
    """Synced before on the other disk: its rows say so, and nothing of it is here."""
    job = mirror(synced)
    assert job.status == "succeeded", job.error_message
    return registering.get(synced.pk)


def test_it_is_what_it_should_be(root: Path) -> None:
    (root / "File").write_text("x")
    assert (root / "fILE").read_text() == "x"
    with pytest.raises(OSError, match=r"not permitted|not supported"):
        os.link(root / "File", root / "other")
    with pytest.raises(OSError, match=r"not permitted|not supported|not implemented"):
        (root / "link").symlink_to("File")


def test_a_download_is_shown_by_copies(on_fat: Repo, root: Path) -> None:
    shown = root / NAME / "main" / UNET
    assert shown.read_bytes() == WEIGHTS.read()
    store = configured.store()
    assert on_fat.snapshot
    row = on_fat.snapshot.files.get(path=UNET)
    folder = PurePosixPath(NAME, "main")
    assert store.placed(folder, UNET, row.sha256, WEIGHTS.size) is How.COPY


def test_a_scan_adopts_by_moving(db: None, root: Path) -> None:
    put(root, {"acme/xl/v1/config.json": "{}", "acme/xl/v1/w.safetensors": WEIGHTS})
    told = scan()
    assert (told["adopted"], told["left_count"]) == (2, 0)
    repo = Repo.objects.get()
    assert states(repo)["w.safetensors"] == ("done", "local")
    assert (root / "acme/xl/v1/w.safetensors").read_bytes() == WEIGHTS.read()
    assert scan()["hashed"] == 0


def test_what_is_lost_is_put_back_and_found_missing(on_fat: Repo, root: Path) -> None:
    (root / NAME / "main" / UNET).unlink()
    assert rescan(on_fat)["relinked"] == 1
    assert (root / NAME / "main" / UNET).read_bytes() == WEIGHTS.read()


def test_a_removal_counts_blobs_and_copies(on_fat: Repo, root: Path) -> None:
    assert on_fat.snapshot
    here = on_fat.snapshot.done_bytes
    done = removal.remove(on_fat)
    assert done.freed_bytes == 2 * here
    assert not (root / NAME).exists()


def test_a_verification_reads_blobs(on_fat: Repo) -> None:
    job = run("hub_verify", repo_id=str(on_fat.pk))
    assert job.status == "succeeded", job.error_message
    assert job.summary["read"] == 5


def test_another_spelling_is_the_same_folder(db: None, root: Path) -> None:
    put(root, {"acme/xl/main/config.json": "{}"})
    assert scan()["adopted"] == 1
    put(root, {"ACME/XL/main/config.json": "{}"})
    assert sorted(os.listdir(root / "acme")) == ["xl"]  # noqa: PTH208  as this disk spells it
    assert Repo.objects.count() == 1
