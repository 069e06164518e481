"""Locks between processes and between machines that share the models root.

A lock is a sign (`signs`) under `.locks/`. It is made in one step that fails if there is one, and
removed by its holder. No lock of the operating system is relied on: on network file systems those
are known to say yes to everybody.

A lock whose holder is certainly gone, or has been silent too long, is taken over:

    read the lock: token T  →  make the guard "T is over", which fails if there is one
                            →  read the lock again: still T?  →  rename a new lock over it

Tokens are never used twice, so a guard made too late finds another token and does nothing. A guard
whose maker died is followed by a guard with the next number. While no process is frozen for longer
than the silence that loses a lock, no two are ever inside. One that was frozen finds out by
`Lease.check`, and what it may still write harms nobody: blobs arrive by the rename of verified
bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from downloader.library.errors import Busy
from downloader.library.store import durability, signs
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.signs import Heart, Rhythm, Sign, Watch
from downloader.library.watch import Control, Observer

FOLDER = ".locks"
LONGEST_LOOK_S = 0.5


class Before(StrEnum):
    """Who held a lock until now."""

    NOBODY = "nobody"
    GONE = "gone"  # a process that has certainly ended
    SILENT = "silent"  # one that may wake up and go on writing


@dataclass(frozen=True)
class Lease:
    """A lock that is held."""

    name: str
    before: Before
    folder: Path
    file: str
    sign: Sign

    def held(self) -> bool:
        """Read from the disk: whether it is ours still."""
        with told("reading the lock in", self.folder), Folder.at(self.folder) as folder:
            found = signs.read(folder, self.file)
        return found is not None and found.token == self.sign.token

    def check(self) -> None:
        """Called before every step that others will see."""
        if not self.held():
            raise Busy(
                "Another process took over, because this one gave no sign of life for too long. "
                "Start again: what was fetched is kept.",
                details={"lock": self.name},
            )


class Locks:
    def __init__(self, root: Path, heart: Heart, rhythm: Rhythm) -> None:
        self._root = root
        self._heart = heart
        self._rhythm = rhythm

    @contextmanager
    def hold(self, name: str, control: Control, observer: Observer) -> Iterator[Lease]:
        """Wait for the lock as long as it takes, hold it, and let it go."""
        lease = self.take(name, control, observer)
        try:
            yield lease
        finally:
            self.let_go(lease)

    def take_now(self, name: str) -> Lease | None:
        """The lock, unless another holds it. `let_go` is the caller's to call."""
        return self._attempt(name, Watch(self._rhythm))

    def let_go(self, lease: Lease) -> None:
        self._heart.let_go(lease.sign.token)
        with told("removing the lock in", lease.folder), Folder.at(lease.folder) as folder:
            found = signs.read(folder, lease.file)
            if found is not None and found.token == lease.sign.token:
                folder.forget(lease.file)

    def sweep(self, now: float) -> None:
        """Let go of locks whose holders are gone, or silent for very long by the store's clock."""
        with told("looking at the locks in", self._root / FOLDER), self._folder() as folder:
            names = [name for name in folder.names() if name.endswith(".lock")]
            over = [sign for name in names if (sign := _over(folder, name, now))]
        for sign in over:
            name = str(sign.facts.get("name", ""))
            watch = Watch(replace(self._rhythm, silence_s=0))
            watch.silent(f"{_key(name)}.lock", sign)
            lease = self._attempt(name, watch)
            if lease is not None:
                self.let_go(lease)

    def take(self, name: str, control: Control, observer: Observer) -> Lease:
        """Wait for the lock as long as it takes. `let_go` is the caller's to call."""
        watch = Watch(self._rhythm)
        pause_s = self._rhythm.look_s / 8
        waiting = False
        while True:
            control.check()
            lease = self._attempt(name, watch)
            if lease is not None:
                return lease
            if not waiting:
                waiting = True
                observer.say("waiting", f"Waiting for {self._holder(name)}.", lock=name)
            control.sleep(pause_s)
            pause_s = min(pause_s * 2, self._rhythm.look_s, LONGEST_LOOK_S)

    def _attempt(self, name: str, watch: Watch) -> Lease | None:
        key = _key(name)
        with told("locking in", self._root / FOLDER), self._folder() as folder:
            candidate = Sign.fresh(name=name)
            before = _enter(folder, key, candidate, watch)
            if before is None:
                return None
            lease = Lease(name, before, self._root / FOLDER, f"{key}.lock", candidate)
            self._heart.keep(lease.folder, lease.file, candidate)
            _sweep(folder, key, candidate)
            return lease

    def _holder(self, name: str) -> str:
        with told("reading the lock in", self._root / FOLDER), self._folder() as folder:
            found = signs.read(folder, f"{_key(name)}.lock")
        return str(found.process) if found is not None else "another process"

    @contextmanager
    def _folder(self) -> Iterator[Folder]:
        with Folder.at(self._root, create=True) as root, root.sub(FOLDER, create=True) as folder:
            yield folder


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _over(folder: Folder, name: str, now: float) -> Sign | None:
    status, sign = folder.look(name), signs.read(folder, name)
    if status is None or sign is None:
        return None
    return sign if sign.gone() or now - status.st_mtime > signs.LONG_SILENCE_S else None


def _enter(folder: Folder, key: str, candidate: Sign, watch: Watch) -> Before | None:
    """None: somebody is inside. Else the lock is the candidate's."""
    lock = f"{key}.lock"
    found = signs.read(folder, lock)
    if found is None:
        return Before.NOBODY if _make(folder, lock, candidate) else None
    silent = watch.silent(lock, found)
    if found.gone():
        return Before.GONE if _succeed(folder, key, found, candidate, watch) else None
    if silent:
        return Before.SILENT if _succeed(folder, key, found, candidate, watch) else None
    return None


def _make(folder: Folder, name: str, sign: Sign) -> bool:
    """The file `name` with the whole sign in it, in one step; False if there is one already."""
    fresh = f"{name}.{sign.token}.new"
    folder.write_new(fresh, sign.encoded(), sync=False)
    try:
        durability.link(folder.descriptor, fresh, folder.descriptor, name)
    except (FileExistsError, FileNotFoundError):  # another was faster; a new holder swept ours away
        return False
    except OSError as error:
        if error.errno not in durability.UNSUPPORTED:
            raise
        return _make_in_two_steps(folder, name, sign)
    finally:
        folder.forget(fresh)
    return True


def _make_in_two_steps(folder: Folder, name: str, sign: Sign) -> bool:
    """Where there are no hard links: for a moment the sign is empty, that of an unknown process."""
    try:
        folder.write_new(name, sign.encoded(), sync=False)
    except FileExistsError:
        return False
    return True


def _succeed(folder: Folder, key: str, over: Sign, candidate: Sign, watch: Watch) -> bool:
    """Put the candidate's lock in the place of one that is over; False if another was faster."""
    guards = _guard(folder, f"{key}.{over.token}.over", candidate, watch)
    if not guards:
        return False
    lock = f"{key}.lock"
    found = signs.read(folder, lock)
    ours = found is not None and found.token == over.token
    ours = ours and _replace(folder, lock, candidate)
    for guard in guards:  # nobody needs them: the lock has another token now
        folder.forget(guard)
    return ours


def _replace(folder: Folder, name: str, sign: Sign) -> bool:
    fresh = f"{name}.{sign.token}.new"
    folder.write_new(fresh, sign.encoded(), sync=False)
    try:
        durability.rename(folder.descriptor, fresh, folder.descriptor, name)
    except FileNotFoundError:  # swept away
        return False
    return True


def _guard(folder: Folder, stem: str, candidate: Sign, watch: Watch) -> list[str]:
    """Our guard and those before it, whose makers are over; none if another's stands."""
    names: list[str] = []
    while True:
        name = f"{stem}.{len(names)}"
        names.append(name)
        found = signs.read(folder, name)
        if found is None:
            return names if _make(folder, name, candidate) else []
        if not watch.silent(name, found) and not found.gone():
            return []


def _sweep(folder: Folder, key: str, holder: Sign) -> None:
    """What processes left beside this lock that died while they were taking it. A living one that
    loses a file by this only tries again."""
    for name in folder.names():
        if not name.startswith(f"{key}.") or name == f"{key}.lock" or holder.token in name:
            continue
        found = signs.read(folder, name)
        guard = not name.endswith(".new")  # for a token that will never come back
        if guard or (found is not None and (found.gone() or found.process == signs.UNKNOWN)):
            folder.forget(name)
