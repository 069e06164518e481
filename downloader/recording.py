"""From what a transfer says to rows, events and numbers.

The transfer's threads tell the recorder; the job's own thread writes, now and then, what it has
heard. No thread of the transfer ever waits for the database.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from downloader import metrics
from downloader.library.plan import Plan
from downloader.library.watch import FileProgress, FileState, Observer
from downloader.logfiles import LogFile
from downloader.models import Download, DownloadFile
from jobs.errors import LeaseLost
from jobs.models import Job
from jobs.patience import persist
from jobs.run import Run

WRITE_EVERY_S = 1.0
RATE_OVER_S = 10.0
LOUD = {"retry": "warning", "throttled": "warning", "restart": "warning", "quarantined": "error"}
ROWS_AT_ONCE = 500
ENDED = (FileState.DONE, FileState.FAILED)


class Said(NamedTuple):
    code: str
    message: str
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Standing:
    """All files together."""

    done: int
    total: int | None
    received: int
    rate_bps: int
    eta_s: float | None
    files: Mapping[str, int]


class Rate:
    """Bytes a second over the last seconds; `at` comes from a clock that never goes back."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, int]] = []

    def note(self, at: float, received: int) -> int:
        self._samples.append((at, received))
        while len(self._samples) > 2 and at - self._samples[1][0] >= RATE_OVER_S:
            self._samples.pop(0)
        first_at, first = self._samples[0]
        return int((received - first) / (at - first_at)) if at > first_at else 0


class Listener(Observer):
    """Keeps the newest of each file and every line, for a thread that comes by to collect."""

    def __init__(self, files: Mapping[str, int | None]) -> None:
        self._lock = threading.Lock()
        self._files = {
            path: FileProgress(path, FileState.PENDING, 0, size, 0) for path, size in files.items()
        }
        self._changed: set[str] = set()
        self._said: list[Said] = []
        self._rate = Rate()

    def file(self, progress: FileProgress) -> None:
        with self._lock:
            self._files[progress.path] = progress
            self._changed.add(progress.path)

    def say(self, code: str, message: str, **facts: object) -> None:
        with self._lock:
            self._said.append(Said(code, message, facts))

    def collect(self) -> tuple[list[FileProgress], list[Said], Standing]:
        """What is new since the last time, and where all stands."""
        with self._lock:
            changed = [self._files[path] for path in sorted(self._changed)]
            said, self._said = self._said, []
            self._changed.clear()
            everything = list(self._files.values())
        return changed, said, self._standing(everything)

    def _standing(self, files: list[FileProgress]) -> Standing:
        done, received = sum(f.done for f in files), sum(f.received for f in files)
        sizes = [f.size for f in files]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        rate = self._rate.note(time.monotonic(), received)
        left = max(0, total - done) if total is not None else None
        eta_s = left / rate if left is not None and rate else None
        counts = Counter(f.state.value for f in files)
        return Standing(
            done, total, received, rate, eta_s, {s.value: counts[s.value] for s in FileState}
        )


@dataclass(frozen=True)
class Subject:
    """What is downloaded, as people are told of it: the sizes of its files by path."""

    source: str
    source_uri: str
    title: str
    files: Mapping[str, int | None]
    bytes_total: int | None

    @classmethod
    def of(cls, plan: Plan, source: str) -> Subject:
        files = {file.path: file.file.size for file in plan.files}
        resolved = plan.resolved
        return cls(source, resolved.source_uri, resolved.title, files, plan.bytes_total)


class Recorder:
    """Writes what a listener heard, in the name of a run that still holds its job."""

    def __init__(self, run: Run, subject: Subject) -> None:
        self.run = run
        self.source = subject.source
        self.listener = Listener(subject.files)
        self._counted = 0
        self._written_at = 0.0
        self._file = LogFile(Path(settings.MODELS_ROOT), run.job_id)
        persist(lambda: self._begin(subject))
        facts = {"source_uri": subject.source_uri, "bytes_total": subject.bytes_total}
        self._file.write("download.begin", f"{subject.title}: {len(subject.files)} files.", facts)

    def _begin(self, subject: Subject) -> None:
        facts = {
            "source_uri": subject.source_uri,
            "title": subject.title[:300],
            "bytes_total": subject.bytes_total,
            "bytes_done": 0,
            "bytes_received": 0,
            "updated_at": timezone.now(),
        }
        with transaction.atomic():
            self._need_lease()
            download, _ = Download.objects.update_or_create(job_id=self.run.job_id, defaults=facts)
            download.files.all().delete()
            rows = [
                DownloadFile(download=download, path=path, size_bytes=size)
                for path, size in subject.files.items()
            ]
            DownloadFile.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)

    def write_if_due(self) -> None:
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """LeaseLost: somebody else holds the job, and nothing was written."""
        changed, said, standing = self.listener.collect()
        self._written_at = time.monotonic()
        for line in said:
            level = LOUD.get(line.code, "info")
            facts: dict[str, Any] = dict(line.facts)
            self.run.log(f"download.{line.code}", line.message, level=level, **facts)
            self._file.write(f"download.{line.code}", line.message, {"level": level, **facts})
        for one in changed:
            if one.state in ENDED:
                self._file.write(f"file.{one.state}", one.path, {"size_bytes": one.size})
        if changed:
            persist(lambda: self._store(changed, standing))
            self.run.progress(0, "fetch", _fraction(standing), **as_facts(standing))
        metrics.received(self.source, standing.received - self._counted)
        self._counted = standing.received

    def _store(self, changed: list[FileProgress], standing: Standing) -> None:
        with transaction.atomic():
            self._need_lease()
            download = Download.objects.filter(job_id=self.run.job_id)
            download.update(
                bytes_done=standing.done,
                bytes_total=standing.total,
                bytes_received=standing.received,
                rate_bps=standing.rate_bps,
                updated_at=timezone.now(),
            )
            _store_files(self.run.job_id, changed)

    def _need_lease(self) -> None:
        """Inside the transaction that writes: the row stays locked until it ends."""
        mine = Job.objects.filter(id=self.run.job_id, claim=self.run.lease.claim, status="running")
        if not mine.select_for_update().exists():
            self.run.stop_with(LeaseLost)
            raise LeaseLost


def installed(job_id: uuid.UUID, model_id: uuid.UUID) -> None:
    """The download became this model."""
    persist(lambda: Download.objects.filter(job_id=job_id).update(model_id=model_id, rate_bps=0))


def as_facts(standing: Standing) -> dict[str, Any]:
    return {
        "bytes_done": standing.done,
        "bytes_total": standing.total,
        "rate_bps": standing.rate_bps,
        "eta_s": None if standing.eta_s is None else round(standing.eta_s, 1),
        "files": dict(standing.files),
    }


def _fraction(standing: Standing) -> float:
    """Of the bytes where their number is known, else of the files."""
    if standing.total:
        return standing.done / standing.total
    count = sum(standing.files.values())
    return standing.files[FileState.DONE] / count if count else 1.0


def _store_files(job_id: uuid.UUID, changed: Iterable[FileProgress]) -> None:
    by_path = {progress.path: progress for progress in changed}
    rows = list(DownloadFile.objects.filter(download_id=job_id, path__in=by_path))
    for row in rows:
        heard = by_path[row.path]
        row.status, row.bytes_done, row.size_bytes = heard.state, heard.done, heard.size
    DownloadFile.objects.bulk_update(
        rows, ["status", "bytes_done", "size_bytes"], batch_size=ROWS_AT_ONCE
    )
