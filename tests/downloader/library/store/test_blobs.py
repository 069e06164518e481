"""Blobs: whole or absent, durable in the right order, and never through somebody's link."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from downloader.library.checksums import Trust
from downloader.library.errors import NoSpace, Refused, StoreFailed, UnsafeName
from downloader.library.store import Store, durability
from tests.downloader.library.store.world import (
    before_each_change,
    computed,
    keep,
    staged,
    survives,
    tree,
)
from tests.services import found

pytestmark = pytest.mark.pure

BODY = b"the bytes of a model"
HASH = computed(BODY).sha256
PLACE = f"blobs/sha256/{HASH[:2]}/{HASH}"


def test_looking_makes_nothing(store: Store) -> None:
    assert not store.has(HASH, None)
    assert store.references() == {}
    assert store.free_bytes()
    assert not store.root.exists()


def test_adopted_bytes_lie_once_read_only_under_their_hash(store: Store) -> None:
    blob = store.adopt(staged(store, BODY), computed(BODY))
    assert blob == store.root / PLACE
    assert blob.read_bytes() == BODY
    assert blob.stat().st_mode & 0o777 == 0o444
    assert tree(store.root) == [PLACE]
    assert store.has(HASH, len(BODY))
    assert not store.has(HASH, len(BODY) + 1)


def test_the_order_survives_a_power_cut(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    part = staged(store, BODY)
    done: list[str] = []
    before_each_change(lambda name, call: monkeypatch.setattr(durability, name, call), done.append)
    store.adopt(part, computed(BODY))
    adopting = done[done.index("touch") - 1 :]
    assert adopting[:5] == ["sync", "touch", "protect", "rename_new", "sync"]


@pytest.mark.live
def test_the_kernel_sees_the_same_order(store: Store, tmp_path: Path) -> None:
    part, log = staged(store, BODY), tmp_path / "calls"
    code = (
        "from pathlib import Path\n"
        "from downloader.library.checksums import Computed\n"
        "from downloader.library.store import Store\n"
        f"store = Store(Path({str(store.root)!r}))\n"
        f"store.adopt(Path({str(part)!r}), Computed({len(BODY)}, {HASH!r}))\n"
    )
    calls = "trace=fsync,fchmod,rename,renameat,renameat2"
    strace = found.program("usr/bin/strace")
    command = [str(strace), "-f", "-y", "-e", calls, "-o", str(log), sys.executable, "-c", code]
    traced = subprocess.run(
        command, env=found.environment(strace), capture_output=True, text=True, check=False
    )
    if "PTRACE" in traced.stderr:
        pytest.skip("this machine does not let us trace")
    seen = re.findall(r"(fsync|fchmod|rename\w*)\((.*)\)\s*= 0", log.read_text())
    names = [name for name, _ in seen][-4:]
    places = [arguments for _, arguments in seen][-4:]
    assert names == ["fsync", "fchmod", "renameat2", "fsync"]
    assert part.name in places[0]
    assert HASH in places[2]
    assert places[3].endswith(f"blobs/sha256/{HASH[:2]}>")


def test_a_blob_that_is_there_stays(store: Store) -> None:
    keep(store, BODY)
    before = store.blob(HASH).stat()
    keep(store, BODY)
    assert os.path.samestat(before, store.blob(HASH).stat())
    assert tree(store.root) == [PLACE]


def test_two_who_adopt_the_same_bytes_do_no_harm(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is faster by a moment: after we looked, before our rename."""
    first, second = staged(store, BODY, "first"), staged(store, BODY, "second")
    protect = durability.protect

    def let_the_other_in(file: int) -> None:
        monkeypatch.setattr(durability, "protect", protect)
        store.adopt(second, computed(BODY))
        protect(file)

    monkeypatch.setattr(durability, "protect", let_the_other_in)
    store.adopt(first, computed(BODY))
    assert store.verify(HASH) is Trust.VERIFIED
    assert tree(store.root) == [PLACE]


def test_a_blob_of_the_wrong_size_is_replaced(store: Store) -> None:
    keep(store, BODY)
    store.blob(HASH).chmod(0o644)
    store.blob(HASH).write_bytes(BODY[:5])
    keep(store, BODY)
    assert store.verify(HASH) is Trust.VERIFIED


def test_a_part_that_changed_after_it_was_hashed_is_not_adopted(store: Store) -> None:
    part = staged(store, BODY + b"!")
    with pytest.raises(StoreFailed, match="when it was hashed"):
        store.adopt(part, computed(BODY))
    assert not store.has(HASH, None)


def test_verifying_reads_the_bytes(store: Store) -> None:
    assert store.verify(HASH) is None
    keep(store, BODY)
    assert store.verify(HASH) is Trust.VERIFIED
    store.blob(HASH).chmod(0o644)
    store.blob(HASH).write_bytes(BODY.replace(b"model", b"lodem"))
    assert store.verify(HASH) is Trust.MISMATCH


def test_a_target_is_the_same_for_every_process_and_for_one_key_only(store: Store) -> None:
    again = Store(store.root)
    assert store.target("a") == again.target("a")
    assert store.target("a") != store.target("b")


@pytest.mark.parametrize("name", ["../x", "A" * 64, "", "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_digest_names_no_blob(store: Store, name: str) -> None:
    with pytest.raises(UnsafeName):
        store.has(name, None)


def test_only_staged_files_become_blobs(store: Store, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(BODY)
    with pytest.raises(UnsafeName):
        store.adopt(foreign, computed(BODY))
    assert foreign.exists()


@pytest.mark.parametrize("plant", [Path.symlink_to, Path.hardlink_to])
def test_a_planted_part_is_not_written_through(store: Store, tmp_path: Path, plant: object) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    part = store.target("key").part
    assert callable(plant)
    plant(part, victim)
    store.target("key").part.write_bytes(BODY)
    assert victim.read_text() == "precious"


def test_a_part_swapped_for_a_link_is_not_adopted(store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(BODY)
    part = staged(store, BODY)
    part.unlink()
    part.symlink_to(victim)
    with pytest.raises(Refused, match="a link"):
        store.adopt(part, computed(BODY))
    assert victim.stat().st_mode & 0o200
    assert not store.has(HASH, None)


@pytest.mark.parametrize("level", ["blobs", "blobs/sha256", f"blobs/sha256/{HASH[:2]}"])
def test_a_directory_swapped_for_a_link_leads_nowhere(
    store: Store, tmp_path: Path, level: str
) -> None:
    keep(store, BODY)
    elsewhere = tmp_path / "elsewhere"
    (store.root / level).rename(tmp_path / "aside")
    elsewhere.mkdir()
    (store.root / level).symlink_to(elsewhere)
    part = staged(store, BODY)
    with pytest.raises(Refused, match="remove it"):
        store.adopt(part, computed(BODY))
    assert tree(elsewhere) == []
    assert part.exists()


def test_a_root_that_is_a_link_is_the_operators_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "disk")
    keep(Store(tmp_path / "models"), BODY)
    assert tree(tmp_path / "disk") == [PLACE]


def test_a_kill_at_any_step_leaves_a_whole_blob_or_none(store: Store) -> None:
    steps, done = 0, False
    while not done:
        steps += 1
        shutil.rmtree(store.root / "blobs", ignore_errors=True)
        part = staged(store, BODY)
        done = survives(lambda part=part: _adopt(store.root, part), killed_before=steps)  # type: ignore[misc]
        assert store.verify(HASH) in (None, Trust.VERIFIED), steps
        assert store.has(HASH, None) or part.exists(), steps
    assert steps > 8


def _adopt(root: Path, part: Path) -> None:
    Store(root).adopt(part, computed(BODY))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    part = staged(store, BODY)

    def full(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(durability, "make_folder", full)
        with pytest.raises(NoSpace, match="full"):
            store.adopt(part, computed(BODY))
    assert part.exists()
    store.adopt(part, computed(BODY))
    assert store.verify(HASH) is Trust.VERIFIED


def test_a_disk_that_refuses_is_told_with_advice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = staged(store, BODY)

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(durability, "make_folder", refuse)
    with pytest.raises(StoreFailed, match="mount it writable"):
        store.adopt(part, computed(BODY))


def test_a_share_without_permissions_or_directory_sync_will_do(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, "fchmod", refuse)
    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(durability, "_renameat2", lambda: None)
    keep(store, BODY)
    assert store.verify(HASH) is Trust.VERIFIED
