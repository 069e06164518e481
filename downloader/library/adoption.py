"""Files that lie below the models root already become blobs where they are, without a copy.

Where the file system has hard links, the blob is one more name of the very file, so nothing is ever
missing. Elsewhere the file moves, and a symbolic link takes its place: a descriptor that names the
blob is written before that, so that nothing collects it if the process dies in between.

A file that somebody writes to is left alone: it has to look the same before it is read, after that,
and when its blob is made, and nobody may have it open for writing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath

from downloader.library import safety
from downloader.library.checksums import Computed
from downloader.library.errors import Busy, Refused, UnsafeName
from downloader.library.layouts import Seen
from downloader.library.safety import Policy
from downloader.library.store import Claim, Store, blobs, durability, placing
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import file_parts
from downloader.library.watch import Control

# Above this no hub publishes a git digest: such files are kept apart, under their SHA-256.
GIT_BYTES = 32 << 20
MOUNTS = Path("/proc/self/mountinfo")
LEASES_TELL = frozenset({"ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
OTHER_DISK = frozenset({errno.EXDEV, errno.EMLINK})


def refusal(path: str, policy: Policy) -> str | None:
    """Why a file of this name is not adopted; None if it may be."""
    try:
        safe = safety.safe_path(path)
    except UnsafeName as unsafe:
        return unsafe.message
    if safe != path:
        return "has a name that is not in Unicode's composed form"
    return safety.refusal(path, policy)


def read(
    store: Store,
    folder: PurePosixPath,
    seen: Seen,
    policy: Policy,
    control: Control,
    count: Callable[[int], None] = lambda _bytes: None,
) -> Computed:
    """Look at the content and hash it. Refused or InvalidFile when it is not what its name says;
    Busy when somebody is writing to it."""
    with _opened(store, folder, seen) as (_, _name, file):
        _check_still(file, seen)
        safety.check_content(store.root / folder / seen.path, seen.path, policy)
        algorithms = ("git-sha1",) if seen.size <= GIT_BYTES else ()
        computed = blobs.hash_open(file, algorithms, control, count)
        _check_still(file, seen)
    return computed


def take(store: Store, folder: PurePosixPath, seen: Seen, computed: Computed, claim: Claim) -> Seen:
    """Make a blob of the file, or a link to the blob that is there. The claim holds the blob. The
    answer is what lies in its place now. Busy when it is not what was read."""
    final = store.root / folder / seen.path
    with (
        told("adopting", final),
        _opened(store, folder, seen) as (place, name, file),
        store.layout.blobs(computed.sha256) as shelf,
    ):
        _check_still(file, seen)
        if _same(shelf.look(computed.sha256), os.fstat(file)):
            return seen
        if not store.has(computed.sha256, computed.size):
            _become(store, place, name, file, shelf, computed, seen)
        if not _same(shelf.look(computed.sha256), place.look(name)):
            _link_instead(store, place, name, file, computed.sha256, seen, claim)
        now = place.look(name)
    return seen if now is None else Seen.of(seen.path, now)


@contextmanager
def _opened(store: Store, folder: PurePosixPath, seen: Seen) -> Iterator[tuple[Folder, str, int]]:
    """Its directory, its name there, and a descriptor to read it by."""
    *parents, name = file_parts(seen.path)
    with told("reading", store.root / folder / seen.path):
        try:
            with (
                store.layout.below(*folder.parts, *parents, create=False) as place,
                place.reading(name) as file,
            ):
                yield place, name, file
        except FileNotFoundError:
            raise _changing(seen) from None


def _become(
    store: Store,
    place: Folder,
    name: str,
    file: int,
    shelf: Folder,
    computed: Computed,
    seen: Seen,
) -> None:
    mode = os.fstat(file).st_mode & 0o7777
    durability.sync(file)
    durability.protect(file)
    try:
        _check_still(file, seen)
        _enter(store, place, name, file, shelf, computed)
    except BaseException:
        with suppress(OSError):  # a share without permissions of its own
            os.fchmod(file, mode)
        raise
    durability.sync(shelf.descriptor)


def _enter(
    store: Store, place: Folder, name: str, file: int, shelf: Folder, computed: Computed
) -> None:
    """As one more name of the file, or by moving it."""
    sha256 = computed.sha256
    damaged = shelf.look(sha256)
    if damaged is not None and not shelf.is_folder(sha256):  # of another size: no blob at all
        shelf.forget(sha256)
    try:
        durability.link(place.descriptor, name, shelf.descriptor, sha256)
    except OSError as error:
        if error.errno not in placing.CANNOT_LINK:
            raise
        _move(store, place, name, shelf, sha256)
    if not _same(shelf.look(sha256), os.fstat(file)):
        shelf.forget(sha256)
        raise Busy("Another file took its place just now.")


def _move(store: Store, place: Folder, name: str, shelf: Folder, sha256: str) -> None:
    try:
        durability.rename_new(place.descriptor, name, shelf.descriptor, sha256)
    except OSError as error:
        if error.errno not in OTHER_DISK:
            raise
        raise Refused(
            f"{name!r} lies on another file system than {store.root}, so it can only be copied. "
            "Move it there."
        ) from error


def _link_instead(
    store: Store,
    place: Folder,
    name: str,
    file: int,
    sha256: str,
    seen: Seen,
    claim: Claim,
) -> None:
    """Put a link to the blob where the file is, or was. Where there are only copies nothing would
    be gained: the file stays as it is."""
    spare = claim.build_name()
    final = place.path / name
    with store.layout.staging() as staging:
        try:
            if not _can_link(store, sha256, staging, spare, final):
                return
            if place.look(name) is not None:
                _check_still(file, seen)
            durability.rename(staging.descriptor, spare, place.descriptor, name)
            durability.sync(place.descriptor)
        finally:
            staging.forget(spare)


def _can_link(store: Store, sha256: str, staging: Folder, spare: str, final: Path) -> bool:
    """A link to the blob under the name `spare`, if there can be one."""
    try:
        with store.layout.blobs(sha256) as shelf:
            durability.link(shelf.descriptor, sha256, staging.descriptor, spare)
    except OSError as error:
        if error.errno not in placing.CANNOT_LINK:
            raise
    else:
        return True
    try:
        target = os.path.relpath(store.blob(sha256), final.parent)
        durability.symlink(target, staging.descriptor, spare)
    except OSError as error:
        if error.errno not in placing.CANNOT_LINK:
            raise
        return False
    return True


def _same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    return one is not None and other is not None and os.path.samestat(one, other)


def _check_still(file: int, seen: Seen) -> None:
    """Busy unless the open file is what was seen, and nobody can be changing it."""
    now = Seen.of(seen.path, os.fstat(file))
    if now != seen or _is_being_written(file):
        raise _changing(seen)


def _changing(seen: Seen) -> Busy:
    return Busy(f"{seen.path!r} is being written or moved. Scan again when that is over.")


@cache
def _file_system(device: int) -> str:
    """Its type; "" when the system does not say."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in mounts:
        mount, _, kind = line.partition(" - ")
        if mount.split()[2] == number:
            return kind.split()[0]
    return ""


def _is_being_written(file: int) -> bool:
    """Whether a process of this machine has it open for writing: a read lease is refused then.
    False where leases do not tell: network shares refuse them for reasons of their own."""
    if _file_system(os.fstat(file).st_dev) not in LEASES_TELL:
        return False
    try:
        # Whoever opens it for writing at this very moment makes the kernel send a signal, which is
        # by default one that ends the process.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
