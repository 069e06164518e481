"""Counting across processes: each writes its own files, a scrape adds them up.

The files lie in one folder a machine. A process that ended leaves its counts behind; `join` folds
those of the dead into one file, so counters never go backwards and crashes do not pile up files.
Every metric has labels: one without would make files in each short-lived command that imports it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
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
from prometheus_client.mmap_dict import MmapedDict, mmap_key  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

# Written through a memory map, where a full disk is not an error but the end of the process
# (SIGBUS): the room is taken beforehand. One MiB holds about 6,000 samples.
RESERVED_BYTES = 1 << 20
RESERVED_KINDS = ("counter", "histogram")
FOLDED_KINDS = ("counter", "histogram", "summary")
DEAD = "0"  # no process has this id

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
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        with exclusive():
            _fold_the_dead()
        _reserve()
    except OSError as error:
        log.warning("metrics_not_shared", folder=str(DIRECTORY), reason=error.strerror)
        values.ValueClass = values.MutexValue


def are_shared() -> bool:
    """False where the folder could not be written: this process then counts for itself."""
    return values.ValueClass is not values.MutexValue


def reset_directory() -> None:
    """Forget every count; for the supervisor, before it starts its processes."""
    shutil.rmtree(ROOT, ignore_errors=True)
    DIRECTORY.mkdir(parents=True, exist_ok=True)


@contextmanager
def exclusive() -> Iterator[None]:
    """Nobody reads the files while they are folded, nobody folds them while they are read."""
    with (DIRECTORY / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def process_ids() -> list[int]:
    """The living processes that count here."""
    found = {_owner(path) for path in DIRECTORY.glob("*_*.db")}
    return sorted(int(owner) for owner in found if owner != DEAD and _is_alive(owner))


def _reserve() -> None:
    for kind in RESERVED_KINDS:
        descriptor = os.open(DIRECTORY / f"{kind}_{os.getpid()}.db", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVED_BYTES)
        finally:
            os.close(descriptor)


def _fold_the_dead() -> None:
    dead = [path for path in DIRECTORY.glob("*_*.db") if not _is_alive(_owner(path))]
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
    sums = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    paths = [str(path) for path in sources]
    for metric in MultiProcessCollector.merge(paths, accumulate=False):  # type: ignore[no-untyped-call]
        for sample in metric.samples:
            names, label_values = list(sample.labels), list(sample.labels.values())
            key = mmap_key(metric.name, sample.name, names, label_values, metric.documentation)
            sums.write_value(key, sample.value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]
    draft.replace(kept)


def _owner(path: Path) -> str:
    return path.stem.rpartition("_")[2]


def _is_alive(owner: str) -> bool:
    return owner == DEAD or Path("/proc", owner).exists()
