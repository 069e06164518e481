"""Locks: one inside at a time, whatever happens to the holder."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from downloader.library.errors import Busy, Canceled, Refused
from downloader.library.store import Before, Store, durability, identity, locks, signs
from downloader.library.store.folders import Folder
from downloader.library.store.identity import Process
from downloader.library.store.signs import Rhythm, Sign, Watch
from downloader.library.watch import Control, Observer
from tests.downloader.library.store.world import QUICK, survives, tree

pytestmark = pytest.mark.pure

NAME = "sha256:some file"
KEY = locks._key(NAME)
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    """Another process at the same store; killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        store.root.mkdir(exist_ok=True)
        command = [sys.executable, "-m", f"{__package__}.holder", str(store.root), NAME]
        process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line: str = process.stdout.readline()
    return line.strip()


class Noting(Observer):
    def __init__(self) -> None:
        self.codes: list[str] = []

    def say(self, code: str, message: str, **facts: object) -> None:
        self.codes.append(code)


def lock_files(store: Store) -> list[str]:
    return tree(store.root / ".locks")


def plant(store: Store, sign: Sign) -> None:
    """A lock that somebody else made."""
    with Folder.at(store.root, create=True) as root, root.sub(".locks", create=True) as folder:
        folder.write_new(f"{KEY}.lock", sign.encoded())


def of_the_dead(**facts: str) -> Sign:
    ended = subprocess.Popen(["true"])
    here = Process.this()
    gone = Sign("dead", Process(here.place, ended.pid, "1"), facts)
    ended.wait()
    return gone


def test_a_lock_that_is_held_is_not_given_twice(store: Store) -> None:
    first = store.lock_now(NAME)
    assert first is not None
    assert store.lock_now(NAME) is None
    store.let_go(first)
    second = store.lock_now(NAME)
    assert second is not None
    assert second.before is Before.NOBODY
    store.let_go(second)
    assert lock_files(store) == []


def test_other_names_are_other_locks(store: Store) -> None:
    with store.lock(NAME, Control()), store.lock("another", Control()) as lease:
        assert lease.held()


def test_threads_of_one_process_take_turns(store: Store) -> None:
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(20):
            with store.lock(NAME, Control()):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_who_waits_says_so_and_can_be_stopped(store: Store) -> None:
    control, observer = Control(), Noting()
    with store.lock(NAME, Control()):
        threading.Timer(0.1, control.cancel).start()
        with pytest.raises(Canceled):
            store.lock_wait(NAME, control, observer)
    assert observer.codes == ["waiting"]


def test_a_holder_that_lives_is_waited_for_beyond_the_limit(store: Store) -> None:
    watch = Watch(QUICK)
    with store.lock(NAME, Control()) as lease, Folder.at(lease.folder) as folder:
        beats: set[int] = set()
        silent: list[bool] = []
        while len(beats) < 40:  # longer than the limit
            sign = signs.read(folder, lease.file)
            assert sign is not None
            beats.add(sign.beat)
            silent.append(watch.silent(lease.file, sign))
        assert not any(silent)


def test_the_lock_of_a_dead_process_is_taken_at_once(store: Store) -> None:
    plant(store, of_the_dead())
    lease = store.lock_now(NAME)
    assert lease is not None
    assert lease.before is Before.GONE
    store.let_go(lease)
    assert lock_files(store) == []


def test_a_process_of_another_machine_or_container_is_never_judged_dead(store: Store) -> None:
    elsewhere = Sign("there", Process("another boot/another namespace", 2**22 - 1, "1"))
    plant(store, elsewhere)
    assert not elsewhere.gone()
    assert store.lock_now(NAME) is None


def test_a_silent_lock_of_another_machine_is_taken_over_after_the_limit(store: Store) -> None:
    plant(store, Sign("there", Process("another boot/another namespace", 1, "1")))
    with store.lock(NAME, Control()) as lease:
        assert lease.before is Before.SILENT


def test_silence_is_measured_by_the_waiters_own_clock() -> None:
    now = [1000.0]
    watch = Watch(Rhythm(silence_s=60.0), lambda: now[0])
    sign = Sign("there", signs.UNKNOWN)
    assert not watch.silent("lock", sign)
    now[0] += 59.9
    assert not watch.silent("lock", sign)
    now[0] += 0.1
    assert watch.silent("lock", sign)
    assert not watch.silent("lock", Sign("there", signs.UNKNOWN, {}, beat=1))


def test_a_lock_that_is_still_being_written_is_not_taken(store: Store) -> None:
    (store.root / ".locks").mkdir(parents=True)
    (store.root / ".locks" / f"{KEY}.lock").touch()
    assert store.lock_now(NAME) is None
    with store.lock(NAME, Control()) as lease:
        assert lease.before is Before.SILENT


def test_who_is_late_to_take_over_changes_nothing(store: Store) -> None:
    """Both saw the lock of the dead; the slow one comes when the quick one is inside."""
    dead = of_the_dead()
    plant(store, dead)
    quick = store.lock_now(NAME)
    assert quick is not None
    with Folder.at(quick.folder) as folder:
        assert not locks._succeed(folder, KEY, dead, Sign.fresh(), Watch(QUICK))
    assert quick.held()
    assert lock_files(store) == [f"{KEY}.lock"]


def test_only_one_takes_over_while_another_is_about_to(store: Store) -> None:
    dead = of_the_dead()
    plant(store, dead)
    with Folder.at(store.root) as root, root.sub(".locks") as folder:
        assert locks._guard(folder, f"{KEY}.{dead.token}.over", Sign.fresh(), Watch(QUICK))
        assert not locks._succeed(folder, KEY, dead, Sign.fresh(), Watch(QUICK))


def test_a_process_killed_while_taking_over_is_taken_over_itself(store: Store) -> None:
    dead = of_the_dead(name=NAME)
    steps = 0
    done = False
    while not done:
        steps += 1
        (store.root / ".locks" / f"{KEY}.lock").unlink(missing_ok=True)
        plant(store, dead)
        done = survives(lambda: _take(store.root), killed_before=steps)
        lease = store.lock_now(NAME)
        assert lease is not None, steps
        store.let_go(lease)
        assert lock_files(store) == [], steps
    assert steps >= 10


def _take(root: Path) -> None:
    store = Store(root)
    lease = store.lock_now(NAME)
    assert lease is not None
    store.let_go(lease)


def test_locks_need_no_hard_links(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(durability, "link", refuse)
    with store.lock(NAME, Control()) as lease:
        assert lease.held()
        assert store.lock_now(NAME) is None
    assert lock_files(store) == []


def test_a_lease_that_was_lost_is_noticed_and_not_undone(store: Store) -> None:
    lease = store.lock_now(NAME)
    assert lease is not None
    (lease.folder / lease.file).unlink()
    other = store.lock_now(NAME)
    assert other is not None
    assert not lease.held()
    with pytest.raises(Busy, match="took over"):
        lease.check()
    store.let_go(lease)
    assert other.held()
    store.let_go(other)


def test_a_planted_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (store.root / ".locks").mkdir(parents=True)
    (store.root / ".locks" / f"{KEY}.lock").symlink_to(victim)
    with pytest.raises(Refused, match="a link"):
        store.lock_now(NAME)
    assert victim.read_text() == "precious"


def test_locks_of_the_dead_are_swept(store: Store) -> None:
    plant(store, of_the_dead(name=NAME))
    store.collect()
    assert lock_files(store) == []


def test_a_zombie_is_gone_and_a_reused_number_is_another_process() -> None:
    child = subprocess.Popen(["sleep", "60"])
    process = Process(Process.this().place, child.pid, identity._started(child.pid) or "")
    alive = not process.gone()
    child.kill()
    child.stdout and child.stdout.close()
    while identity._started(child.pid) is not None:
        pass
    zombie_is_gone = process.gone()
    child.wait()
    assert alive
    assert zombie_is_gone
    assert Process(process.place, Process.this().pid, "1").gone()


def test_without_proc_nobody_is_judged_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "BOOT", Path("/nowhere"))
    assert Process.this().place == ""
    assert not Process("", 2**22 - 1, "1").gone()


@pytest.mark.live
def test_a_waiter_goes_on_as_soon_as_the_holder_is_killed(store: Store, start: Start) -> None:
    holder = start()
    assert said(holder) == "held nobody"
    waiter = start()
    holder.kill()
    holder.wait()
    assert said(waiter) == "held gone"


@pytest.mark.live
def test_a_frozen_holder_loses_its_lock_and_finds_out(store: Store, start: Start) -> None:
    holder = start()
    assert said(holder) == "held nobody"
    holder.send_signal(signal.SIGSTOP)
    waiter = start()
    assert said(waiter) == "held silent"
    holder.send_signal(signal.SIGCONT)
    assert holder.communicate()[0].strip() == "lost"
    assert waiter.communicate()[0].strip() == "kept"


@pytest.mark.live
def test_eight_processes_are_never_inside_together(store: Store, start: Start) -> None:
    crowd = [start("25") for _ in range(8)]
    assert [said(process) for process in crowd] == ["done"] * 8
    assert lock_files(store) == []


@pytest.mark.live
def test_a_crowd_that_is_killed_one_by_one_is_never_inside_together(
    store: Store, start: Start
) -> None:
    doomed = [start("1000000") for _ in range(6)]
    crowd = [start("60") for _ in range(2)]
    for process in doomed:
        process.kill()
        process.wait()
    assert [said(process) for process in crowd] == ["done"] * 2
    assert lock_files(store) == []
