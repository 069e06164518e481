"""Collection: what is needed stays, what nobody needs goes, whoever is at work meanwhile."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path, PurePosixPath

import pytest

from downloader.library.errors import Busy
from downloader.library.store import Store, Terms, durability
from downloader.library.store.identity import Process
from downloader.library.store.signs import LONG_SILENCE_S, Sign
from tests.downloader.library.store.world import age, computed, keep, show, staged, survives, tree

pytestmark = pytest.mark.pure

ONE, TWO = b"one file", b"another file"
HOUR_S = 3600.0


def test_a_blob_that_a_descriptor_names_stays(store: Store) -> None:
    sha256 = keep(store, ONE)
    show(store, "lora/name@1", {"a.bin": sha256})
    collected = store.collect(Terms(grace_s=0))
    assert collected.blobs == ()
    assert collected.kept == {"referenced": 1}
    assert store.references() == {sha256: {"lora/name@1/model.json"}}


def test_a_mirrored_revision_keeps_its_blobs_too(store: Store) -> None:
    sha256 = keep(store, ONE)
    with store.claim([sha256]) as claim:
        final = PurePosixPath("author/repo/refs%2Fpr%2F1")
        with store.build(final, claim) as made:
            made.place(sha256, "a.bin")
            made.write(".dreamforge.json", b'{"files_json": [{"sha256": "%s"}]}' % sha256.encode())
            made.publish()
    assert store.references() == {sha256: {f"{final}/.dreamforge.json"}}
    assert store.collect(Terms(grace_s=0)).kept == {"referenced": 1}


def test_an_orphan_goes_when_its_grace_is_over(store: Store) -> None:
    sha256 = keep(store, ONE)
    assert store.collect(Terms(grace_s=HOUR_S)).kept == {"young": 1}
    age(store.blob(sha256), HOUR_S)
    collected = store.collect(Terms(grace_s=HOUR_S))
    assert collected.blobs == (sha256,)
    assert collected.freed_bytes == len(ONE)
    assert not store.has(sha256, None)


def test_the_grace_counts_from_when_a_blob_came_not_from_when_it_was_fetched(store: Store) -> None:
    part = staged(store, ONE)
    age(part, 10 * HOUR_S)
    store.adopt(part, computed(ONE))
    assert store.collect(Terms(grace_s=HOUR_S)).kept == {"young": 1}


def test_a_dry_run_tells_the_same_and_removes_nothing(store: Store) -> None:
    sha256 = keep(store, ONE)
    part = staged(store, TWO)
    age(part, 10 * HOUR_S)
    before = tree(store.root)
    told = store.collect(Terms(dry_run=True, grace_s=0, staging_grace_s=HOUR_S))
    assert tree(store.root) == before
    done = store.collect(Terms(grace_s=0, staging_grace_s=HOUR_S))
    assert (told.blobs, told.staging) == (done.blobs, done.staging) == ((sha256,), (part.name,))
    assert told.freed_bytes == done.freed_bytes


def test_only_what_was_asked_for_is_looked_at(store: Store) -> None:
    one, two = keep(store, ONE), keep(store, TWO)
    assert store.collect(Terms(grace_s=0, only=[one])).blobs == (one,)
    assert store.has(two, len(TWO))


def test_a_claimed_blob_stays_until_the_claim_is_over(store: Store) -> None:
    sha256 = keep(store, ONE)
    with store.claim([sha256]):
        assert Store(store.root).collect(Terms(grace_s=0)).kept == {"claimed": 1}
    assert store.collect(Terms(grace_s=0)).blobs == (sha256,)


def test_a_claim_can_grow(store: Store) -> None:
    one, two = keep(store, ONE), keep(store, TWO)
    with store.claim([one]) as claim:
        claim.add(blobs=[two])
        assert store.collect(Terms(grace_s=0)).kept == {"claimed": 2}


def test_a_claim_that_many_threads_add_to_holds_everything(store: Store) -> None:
    hashes = [keep(store, b"%d" % at) for at in range(40)]
    with store.claim() as claim:
        threads = [
            threading.Thread(target=claim.add, kwargs={"blobs": hashes[at::8]}) for at in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.collect(Terms(grace_s=0)).kept == {"claimed": 40}


def plant_claim(store: Store, process: Process, sha256: str) -> Path:
    folder = store.root / ".staging" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    claim = folder / "there.claim"
    claim.write_bytes(Sign("there", process, {"blobs": [sha256]}).encoded())
    return claim


def test_the_claim_of_a_dead_process_protects_nothing(store: Store) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    sha256 = keep(store, ONE)
    plant_claim(store, Process(Process.this().place, ended.pid, "1"), sha256)
    assert store.collect(Terms(grace_s=0)).blobs == (sha256,)
    assert tree(store.root) == []


def test_the_claim_of_another_machine_counts_until_it_is_long_silent(store: Store) -> None:
    sha256 = keep(store, ONE)
    claim = plant_claim(store, Process("another boot/namespace", 1, "1"), sha256)
    assert store.collect(Terms(grace_s=0)).kept == {"claimed": 1}
    age(claim, LONG_SILENCE_S + 60)
    assert store.collect(Terms(grace_s=0)).blobs == (sha256,)


@pytest.mark.parametrize(
    "descriptor", [b"{", b"[]", b'{"files_json": [{}]}', b'{"files_json": [{"sha256": "../x"}]}']
)
def test_while_a_descriptor_cannot_be_read_no_blob_goes(store: Store, descriptor: bytes) -> None:
    sha256 = keep(store, ONE)
    broken = store.root / "lora/broken@1"
    broken.mkdir(parents=True)
    (broken / "model.json").write_bytes(descriptor)
    collected = store.collect(Terms(grace_s=0))
    assert collected.unreadable == ("lora/broken@1/model.json",)
    assert collected.kept == {"unknown": 1}
    assert store.has(sha256, None)


def test_a_link_in_the_root_is_not_searched(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/name@1").mkdir(parents=True)
    (tmp_path / "elsewhere/name@1/model.json").write_bytes(b"{")
    store.root.mkdir()
    (store.root / "lora").symlink_to(tmp_path / "elsewhere")
    assert store.known().unreadable == []


def test_bytes_that_another_link_holds_are_not_counted_as_freed(
    store: Store, tmp_path: Path
) -> None:
    sha256 = keep(store, ONE)
    (tmp_path / "mine").hardlink_to(store.blob(sha256))
    collected = store.collect(Terms(grace_s=0))
    assert collected.blobs == (sha256,)
    assert collected.freed_bytes == 0
    assert (tmp_path / "mine").read_bytes() == ONE


def test_partial_files_wait_for_their_own_grace(store: Store) -> None:
    old, young = staged(store, ONE), staged(store, TWO)
    age(old, 8 * 24 * HOUR_S)
    collected = store.collect(Terms(grace_s=0))
    assert collected.staging == (old.name,)
    assert young.exists()


def test_a_partial_file_in_use_is_no_debris_however_old(store: Store) -> None:
    part = staged(store, ONE)
    age(part, 8 * 24 * HOUR_S)
    with store.claim() as claim:
        claim.add(staged=[part.name])
        assert store.collect(Terms(grace_s=0)).staging == ()
    assert part.exists()


def test_a_folder_half_built_goes_with_its_maker(store: Store) -> None:
    sha256 = keep(store, ONE)
    assert not survives(lambda: _die_building(store.root, sha256), killed_before=10_000)
    assert len([path for path in tree(store.root) if "/build-" in path]) == 1
    with store.claim():
        pass
    assert tree(store.root) == [f"blobs/sha256/{sha256[:2]}/{sha256}"]


def _die_building(root: Path, sha256: str) -> None:
    import os
    import signal

    store = Store(root)
    with store.claim([sha256]) as claim, store.build(PurePosixPath("lora/a@1"), claim) as made:
        made.place(sha256, "a.bin")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_folder_being_built_is_left_alone(store: Store) -> None:
    sha256 = keep(store, ONE)
    with store.claim([sha256]) as claim, store.build(PurePosixPath("lora/a@1"), claim) as made:
        made.place(sha256, "a.bin")
        Store(store.root).collect(Terms(grace_s=0))
        made.publish()
    assert (store.root / "lora/a@1/a.bin").read_bytes() == ONE


def test_trash_goes_and_what_cannot_go_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store.root / ".trash/thrown/deep").mkdir(parents=True)
    (store.root / ".trash/thrown/deep/file").touch()

    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "not yours")

    with monkeypatch.context() as patched:
        patched.setattr(durability, "delete_tree", refuse)
        assert store.collect().trash == 1
    assert store.collect().trash == 0
    assert tree(store.root) == []


def test_who_lost_the_stores_lock_removes_nothing_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another took over while this one was frozen between looking and removing."""
    sha256 = keep(store, ONE)
    unlink = durability.unlink

    def lose(_layout: object) -> float:
        for lock in (store.root / ".locks").glob("*.lock"):
            lock.unlink()
        return 0.0

    monkeypatch.setattr("downloader.library.store.collection.clock", lose)
    with pytest.raises(Busy):
        store.collect(Terms(grace_s=-(2.0**40)))
    assert durability.unlink is unlink
    assert store.has(sha256, None)


def test_in_a_hundred_races_no_needed_blob_is_lost(store: Store) -> None:
    """One installs and removes what shares a blob, another collects without any grace."""
    rounds, lost = 100, []
    over = threading.Event()
    collector = Store(store.root)

    def collect() -> None:
        while not over.is_set():
            collector.collect(Terms(grace_s=0))

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        for at in range(rounds):
            body = b"shared by two"
            sha256 = computed(body).sha256
            folder = f"lora/name@{at % 2}"
            with store.claim([sha256]) as claim:
                if not store.has(sha256, len(body)):
                    keep(store, body)
                show(store, folder, {"a.bin": sha256}, replace=True, claim=claim)
            if not store.has(sha256, len(body)):
                lost.append(at)
            if at % 3 == 2:
                store.remove_folder(PurePosixPath("lora/name@0"))
                store.remove_folder(PurePosixPath("lora/name@1"))
    finally:
        over.set()
        thread.join()
    assert lost == []


def test_what_lies_in_the_store_is_added_up(store: Store) -> None:
    keep(store, ONE)
    keep(store, TWO)
    staged(store, b"x" * 10)
    usage = store.usage()
    assert (usage.blobs, usage.blob_bytes) == (2, len(ONE) + len(TWO))
    assert usage.staging_bytes > 0
    assert usage.free_bytes == store.free_bytes()


def test_a_share_that_does_not_tell_its_size_has_unknown_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    from types import SimpleNamespace

    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_blocks=0))
    assert store.free_bytes() is None
