"""Counting across processes: each writes its own files, a scrape adds them up.

The files lie in one folder a machine. A process that ended leaves its counts behind; `join` folds
those of the dead into one file, so counters never go backwards and crashes do not pile up files.
A file that a crash or a full disk left unreadable costs its own counts, never the service.
Every metric has labels: one without would make files in each short-lived command that imports it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

ROOT: Path = settings.ENVIRONMENT.run_dir / "metrics"
# Containers that share a volume have process ids of their own, and host names of their own.
DIRECTORY = ROOT / socket.gethostname()


# prometheus_client decides how it counts when it is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(DIRECTORY)

from prometheus_client import Histogram, values  # noqa: E402
from prometheus_client.core import Metric  # noqa: E402
from prometheus_client.mmap_dict import MmapedDict, mmap_key  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

# Written through a memory map, where a full disk is not an error but the end of the process
# (SIGBUS): the room is taken beforehand. One MiB holds about 6,000 samples.
RESERVED_BYTES = 1 << 20
RESERVED_KINDS = ("counter", "histogram", "gauge_livesum")
FOLDED_KINDS = ("counter", "histogram", "summary")
DEAD = "0"  # no process has this id
FILE_NAME = re.compile(r"(?:counter|histogram|summary|gauge_[a-z]+)_[0-9]+\.db\Z")
HEAD = struct.Struct("i4x")  # how many bytes of a file are in use
# What reading a damaged file can raise: it says too much or too little, or no JSON.
UNREADABLE = (
    OSError,
    struct.error,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RuntimeError,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

HTTP_LATENCY = Histogram(
    "dreamforge_http_request_duration_seconds",
    "Time from a request's arrival at Django to its response.",
    ("route", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=None,
)


def observe_request(route: str, method: str, status: int, took_s: float) -> None:
    known_method = method if method in METHODS else "other"
    HTTP_LATENCY.labels(route, known_method, f"{status // 100}xx").observe(took_s)


def join() -> None:
    """Make this process's files and fold those of dead processes; called once by each process."""
    try:
        with exclusive():
            _remove_damaged()
            _fold_the_dead()
            for kind in RESERVED_KINDS:
                _reserve(DIRECTORY / f"{kind}_{os.getpid()}.db", RESERVED_BYTES)
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error)
        log.warning("metrics_not_shared", folder=str(DIRECTORY), reason=reason)
        values.ValueClass = values.MutexValue


def are_shared() -> bool:
    """False where the folder could not be written: this process then counts for itself."""
    return values.ValueClass is not values.MutexValue


def reset_directory() -> None:
    """Forget every count; for the supervisor, before it starts its processes."""
    shutil.rmtree(ROOT, ignore_errors=True)


def collect() -> list[Metric]:
    """The sums over all processes; hold `exclusive` meanwhile."""
    return _merged(_files(), accumulate=True)


@contextmanager
def exclusive() -> Iterator[None]:
    """Nobody reads the files while they are folded, nobody folds them while they are read."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def process_ids() -> list[int]:
    """The living processes that count here."""
    found = {_owner(path) for path in _files()}
    return sorted(int(owner) for owner in found if owner != DEAD and _is_alive(owner))


def _reserve(path: Path, size_bytes: int) -> None:
    """Take the room for a file; without it there is no file either."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def _remove_damaged() -> None:
    """What the living write is theirs. A new process can have the number of a dead one."""
    owners = {DEAD, str(os.getpid())}
    removable = [path for path in _files() if _owner(path) in owners or not _is_alive(_owner(path))]
    damaged = [path for path in removable if not _is_readable(path)]
    for path in damaged:
        path.unlink(missing_ok=True)
    if damaged:
        log.warning("metrics_damaged", removed=[path.name for path in damaged])


def _fold_the_dead() -> None:
    dead = [path for path in _files() if not _is_alive(_owner(path))]
    for kind in FOLDED_KINDS:
        _fold(kind, [path for path in dead if path.name.startswith(f"{kind}_")])
    for path in dead:
        path.unlink(missing_ok=True)


def _fold(kind: str, dead: list[Path]) -> None:
    if not dead:
        return
    kept = DIRECTORY / f"{kind}_{DEAD}.db"
    sources = [*dead, kept] if kept.exists() else dead
    draft = kept.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    _reserve(draft, max(RESERVED_BYTES, sum(map(_used_bytes, sources))))
    sums = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    for metric in _merged(sources, accumulate=False):
        for sample in metric.samples:
            names, label_values = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, label_values, metric.documentation)
            sums.write_value(key, sample.value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]
    draft.replace(kept)


def _merged(paths: list[Path], *, accumulate: bool) -> list[Metric]:
    """The sums of `paths`; one that cannot be read is left out."""
    try:
        return _merge(paths, accumulate=accumulate)
    except UNREADABLE:
        return _merge([path for path in paths if _is_readable(path)], accumulate=accumulate)


def _merge(paths: list[Path], *, accumulate: bool) -> list[Metric]:
    names = [str(path) for path in paths]
    return list(MultiProcessCollector.merge(names, accumulate=accumulate))  # type: ignore[no-untyped-call]


def _is_readable(path: Path) -> bool:
    try:
        _used_bytes(path)
        _merge([path], accumulate=False)
    except UNREADABLE:
        return False
    return True


def _used_bytes(path: Path) -> int:
    with path.open("rb") as file:
        used: int = HEAD.unpack(file.read(HEAD.size))[0]
    if used != 0 and used < HEAD.size:
        raise ValueError(f"{path.name} says that {used} bytes are in use")
    return used


def _files() -> list[Path]:
    """What processes of ours wrote; anything else in the folder is left alone."""
    return [path for path in DIRECTORY.glob("*.db") if FILE_NAME.match(path.name) and _is_own(path)]


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _owner(path: Path) -> str:
    return path.stem.rpartition("_")[2]


def _is_alive(owner: str) -> bool:
    return owner == DEAD or Path("/proc", owner).exists()
