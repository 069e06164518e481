"""Getting a model when the disk is full, when it is broken off, and when two do it at once."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from downloader.library import acquisition, identities
from downloader.library.errors import (
    Busy,
    Canceled,
    NoSpace,
    Unreachable,
)
from downloader.library.store import Store, durability, locks
from downloader.library.store.identity import Process
from downloader.library.store.signs import Sign
from downloader.library.watch import Control
from tests.downloader.library.installed import FOLDER, installed_bytes, whole_store
from tests.downloader.library.shelf import (
    FILES,
    NO_DIGESTS,
    PLAIN_SHA1,
    WEIGHTS,
    Diary,
    Shelf,
    ShelfSource,
    get,
    planned,
    safetensors,
)
from tests.downloader.library.store.world import QUICK, computed, survives, tree

pytestmark = pytest.mark.pure


# Space


def test_too_little_room_is_told_before_a_byte_moves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = sum(map(len, FILES.values()))
    free = needed + acquisition.RESERVE_BYTES - 1
    monkeypatch.setattr(Store, "free_bytes", lambda _self: free)
    source = ShelfSource(Shelf())
    with pytest.raises(NoSpace, match="free 1 more") as caught:
        get(store, source)
    assert caught.value.details == {"needed": needed, "free": free, "short": 1}
    assert source.fetched == []
    assert tree(store.root) == []


def test_what_a_partial_file_holds_already_needs_no_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(files={"model.safetensors": WEIGHTS})
    plan = planned(shelf)
    part = store.target(identities.identity(plan, plan.files[0])).part
    part.write_bytes(WEIGHTS[:100])  # one block on the disk
    monkeypatch.setattr(Store, "free_bytes", lambda _self: acquisition.RESERVE_BYTES)
    get(store, ShelfSource(shelf))
    assert installed_bytes(store) == shelf.files


def test_what_is_here_already_needs_no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    get(store, ShelfSource(Shelf()))
    monkeypatch.setattr(Store, "free_bytes", lambda _self: 0)
    get(store, ShelfSource(Shelf()), planned(Shelf(), version="2"))
    assert installed_bytes(store, "sdxl-checkpoint/name@2") == FILES


@pytest.mark.parametrize("change", ["make_file", "make_folder", "write", "rename_new", "link"])
def test_a_disk_that_is_full_half_way_is_told_and_the_next_run_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """At each call of one kind in turn; nothing is ever installed by halves."""
    real = getattr(durability, change)
    failures = 0
    for fails_at in range(1, 200):
        shutil.rmtree(store.root, ignore_errors=True)
        left = [fails_at]

        def full(*arguments: object, left: list[int] = left) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(durability, change, full)
            try:
                get(store, ShelfSource(Shelf()))
            except NoSpace:
                failures += 1
        if left[0] > 0:
            break
        get(store, ShelfSource(Shelf()))
        assert tree(store.root) == whole_store(), (change, fails_at)
    assert failures >= 2


@pytest.mark.live
def test_a_disk_that_is_really_full(
    small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk(1024)
    store = Store(disk / "models", rhythm=QUICK)
    shelf = Shelf(files={**FILES, "model.safetensors": safetensors({"weight": (600_000,)})})
    with pytest.raises(NoSpace, match="reserve"):
        get(store, ShelfSource(shelf))
    monkeypatch.setattr(acquisition, "RESERVE_BYTES", 0)
    ballast = disk / "ballast"

    def fill(_path: str) -> None:
        """Another takes the room after we looked."""
        if not ballast.exists():
            with pytest.raises(OSError, match="No space"):
                ballast.write_bytes(bytes(2 << 20))

    source = ShelfSource(shelf, before=fill)
    with pytest.raises((NoSpace, OSError)):
        get(store, source)
    assert not (store.root / FOLDER).exists()
    ballast.unlink()
    get(store, ShelfSource(shelf))
    assert installed_bytes(store) == shelf.files


# Interrupted, twice, together


def test_a_broken_connection_keeps_the_files_that_were_complete(store: Store) -> None:
    shelf = Shelf(files=dict(sorted(FILES.items())), algorithms=PLAIN_SHA1)
    shelf.served["model.safetensors"] = Unreachable("the network is gone")
    with pytest.raises(Unreachable):
        get(store, ShelfSource(shelf))
    shelf.served.clear()
    again = ShelfSource(shelf)
    get(store, again)
    assert "config.json" not in again.fetched
    assert tree(store.root) == whole_store()


def test_a_stop_keeps_the_files_that_were_complete(store: Store) -> None:
    control = Control()
    shelf = Shelf(files=dict(sorted(FILES.items())))

    def stop_at(path: str) -> None:
        if path == "model.safetensors":
            control.cancel()
            control.check()

    with pytest.raises(Canceled):
        get(store, ShelfSource(shelf, before=stop_at), control=control)
    assert not (store.root / FOLDER).exists()
    again = ShelfSource(shelf)
    get(store, again)
    assert "config.json" not in again.fetched


def test_a_source_that_only_answers_at_the_end_is_served_too(store: Store) -> None:
    class Quiet(ShelfSource):
        def fetch(self, engine, *rest):  # type: ignore[no-untyped-def]
            return super().fetch(object(), *rest)  # type: ignore[arg-type]

    get(store, Quiet(Shelf()))
    assert tree(store.root) == whole_store()


@pytest.mark.parametrize("algorithms", [{}, PLAIN_SHA1, NO_DIGESTS])
@pytest.mark.parametrize("small", [1, identities.SMALL_BYTES])
def test_two_at_once_fetch_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, algorithms: dict[str, str], small: int
) -> None:
    monkeypatch.setattr(identities, "SMALL_BYTES", small)
    both_are_there = threading.Barrier(2, timeout=20)
    sources = [ShelfSource(Shelf(algorithms=algorithms)) for _ in range(2)]
    errors: list[BaseException] = []

    def work(source: ShelfSource) -> None:
        try:
            both_are_there.wait()
            get(Store(store.root, rhythm=QUICK), source)
        except BaseException as error:  # noqa: BLE001  the border of a thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=[source]) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted([*sources[0].fetched, *sources[1].fetched]) == sorted(FILES)
    assert tree(store.root) == whole_store()


def test_who_waits_says_so(store: Store) -> None:
    plan = planned(Shelf())
    lease = store.lock_now(identities.lock_name(plan, plan.files[0]))
    assert lease is not None
    threading.Timer(0.2, store.let_go, [lease]).start()
    diary = Diary()
    get(Store(store.root, rhythm=QUICK), ShelfSource(Shelf()), plan, observer=diary)
    assert "waiting" in diary.codes


def test_who_lost_its_lock_publishes_nothing(store: Store) -> None:
    """It was frozen, and another process took over meanwhile."""

    def lose(_path: str) -> None:
        for lock in (store.root / ".locks").glob("*.lock"):
            lock.unlink()

    with pytest.raises(Busy):
        get(store, ShelfSource(Shelf(), before=lose))
    assert not (store.root / FOLDER).exists()
    assert not (store.root / "blobs").exists()


def test_the_partial_file_of_a_holder_that_fell_silent_is_not_gone_on_with(store: Store) -> None:
    """It may wake up and write into it."""
    shelf = Shelf(files={"model.safetensors": WEIGHTS})
    plan = planned(shelf)
    part = store.target(identities.identity(plan, plan.files[0])).part
    part.write_bytes(b"half")
    half = part.stat()
    name = identities.lock_name(plan, plan.files[0])
    (store.root / ".locks").mkdir(parents=True, exist_ok=True)
    silent = Sign("there", Process("another boot/namespace", 1, "1"), {"name": name})
    (store.root / ".locks" / f"{locks._key(name)}.lock").write_bytes(silent.encoded())
    seen: list[bool] = []
    get(store, ShelfSource(shelf, before=lambda _path: seen.append(part.exists())), plan)
    assert half.st_nlink == 1
    assert seen == [False]


@pytest.mark.parametrize("algorithms", [{}, PLAIN_SHA1])
def test_a_kill_at_any_step_is_made_good_by_the_next_run(
    store: Store, algorithms: dict[str, str]
) -> None:
    """What stands is whole or absent; what was a blob is not fetched again; no debris is left."""
    steps, done = 0, False
    while not done:
        steps += 1
        shutil.rmtree(store.root, ignore_errors=True)
        done = survives(lambda: _get_anew(store.root, algorithms), killed_before=steps)
        assert installed_bytes(store) in ({}, FILES), steps
        kept = [body for body in FILES.values() if store.has(computed(body).sha256, len(body))]
        source = ShelfSource(Shelf(algorithms=algorithms))
        get(store, source)
        assert tree(store.root) == whole_store(), steps
        assert len(source.fetched) <= len(FILES) - len(kept) + _unnoted(algorithms), steps
    assert steps > 60


def _get_anew(root: Path, algorithms: dict[str, str]) -> None:
    get(Store(root, rhythm=QUICK), ShelfSource(Shelf(algorithms=algorithms)))


def _unnoted(algorithms: dict[str, str]) -> int:
    """Files that a kill between their rename and their note makes unknown again."""
    return len(algorithms)


@pytest.mark.live
def test_two_processes_get_it_and_one_is_killed_on_the_way(store: Store) -> None:
    command = [sys.executable, "-m", f"{__package__}.getter", str(store.root)]
    doomed = subprocess.Popen([*command, "hang"], stdout=subprocess.PIPE, text=True)
    assert doomed.stdout is not None
    assert doomed.stdout.readline().strip() == "fetching"
    other = subprocess.Popen([*command, "get"], stdout=subprocess.PIPE, text=True)
    doomed.kill()
    doomed.communicate()
    assert "installed" in other.communicate()[0]
    assert other.returncode == 0
    assert tree(store.root) == whole_store()
