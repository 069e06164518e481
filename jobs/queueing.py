"""Queues as people see them: paused or not, how deep, who works, how long a job will wait."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from jobs import kinds
from jobs.models import Job, Queue, Worker
from jobs.states import State
from registry import auditing

WORKER_SILENT_AFTER = timedelta(seconds=20)
MEASURED_JOBS = 500
MEASURED_FOR_S = 10.0
COUNTED_JOBS = 1_000  # a place beyond this is not counted out
COUNTED_SHARES = 20
COUNTED_DEPTH = 100_000


@dataclass(frozen=True)
class Place:
    position: int
    eta_s: float | None


def pause(name: str, reason: str = "", *, by: Any = None) -> None:
    """Start nothing new from this queue; what runs goes on. Pausing and waiting for `running` to
    reach 0 is a drain."""
    _set(name, "paused", by, paused=True, reason=reason)


def resume(name: str, *, by: Any = None) -> None:
    _set(name, "resumed", by, paused=False, reason="")


def overview() -> list[dict[str, Any]]:
    stored = {queue.name: queue for queue in Queue.objects.all()}
    return [
        {
            "name": name,
            "paused": stored[name].paused if name in stored else False,
            "reason": stored[name].reason if name in stored else "",
            "depth": _counted(name, State.QUEUED),
            "running": _counted(name, State.RUNNING),
            "workers": [_shown(worker) for worker in living_workers(name)],
        }
        for name in kinds.QUEUES
    ]


def living_workers(queue: str) -> list[Worker]:
    since = timezone.now() - WORKER_SILENT_AFTER
    return list(Worker.objects.filter(queue=queue, seen_at__gte=since).order_by("id"))


def place(job: Job) -> Place | None:
    """Where a waiting job stands, as the claims deal shares: before it go all of better priority,
    its owner's older ones, and as many of each other owner as turns come round until then. Beyond
    some thousands it is an estimate from below: no answer counts the whole queue out."""
    if job.status != State.QUEUED:
        return None
    waiting = Job.objects.filter(queue=job.queue, status=State.QUEUED).order_by()
    better = waiting.filter(priority__gt=job.priority)[:COUNTED_JOBS].count()
    peers = waiting.filter(priority=job.priority)
    mine = peers.filter(share=job.share, available_at__lt=job.available_at)[:COUNTED_JOBS].count()
    others = _in_turns(peers, job.share, mine + 1)
    position = better + mine + others + 1
    return Place(position, _eta_s(job, position))


def _in_turns(peers: QuerySet[Job], own: str, turns: int) -> int:
    """How many jobs of others are taken in so many rounds. The shares are found by leaping from
    one to the next in the index of the claim, and each is counted no further than it matters."""
    most = min(turns, COUNTED_JOBS // COUNTED_SHARES)
    others = islice((share for share in _shares(peers) if share != own), COUNTED_SHARES)
    return sum(peers.filter(share=share)[:most].count() for share in others)


def _shares(peers: QuerySet[Job]) -> Iterator[str]:
    shares = peers.order_by("share").values_list("share", flat=True)
    share = shares.first()
    while share is not None:
        yield share
        share = shares.filter(share__gt=share).first()


def _eta_s(job: Job, position: int) -> float | None:
    """Rounds of work before it, each as long as such jobs took lately; None when unknown."""
    slots = sum(worker.slots for worker in living_workers(job.queue))
    typical = typical_run_s(job.type)
    if not slots or typical is None:
        return None
    return round((position - 1) // slots * typical, 1)


def typical_run_s(type_name: str) -> float | None:
    """The middle one of how long such jobs took lately, as measured a moment ago at most."""
    if time.monotonic() >= _took.due:
        _took.measure()
    lately = _took.seconds.get(type_name)
    return statistics.median(lately) if lately else None


class _Took:
    """How long the jobs that succeeded last took, by type: one look at so many rows, kept for all
    who ask within some seconds."""

    def __init__(self) -> None:
        self.due = 0.0
        self.seconds: dict[str, list[float]] = {}

    def measure(self) -> None:
        done = Job.objects.filter(status=State.SUCCEEDED, started_at__isnull=False)
        rows = done.order_by("-created_at", "-id").values_list("type", "started_at", "finished_at")
        self.seconds = {}
        for type_name, started, finished in rows[:MEASURED_JOBS]:
            if started and finished:
                took = (finished - started).total_seconds()
                self.seconds.setdefault(type_name, []).append(took)
        self.due = time.monotonic() + MEASURED_FOR_S


_took = _Took()


def forget() -> None:
    """Measure afresh from now on."""
    _took.due = 0.0


def _set(name: str, done: str, by: Any, *, paused: bool, reason: str) -> None:
    facts = {"paused": paused, "reason": reason, "changed_at": timezone.now()}
    with transaction.atomic():
        before = _standing(Queue.objects.select_for_update().filter(name=name).first())
        queue, _ = Queue.objects.update_or_create(name=name, defaults=facts)
        told = auditing.moved(before, _standing(queue))
        auditing.note(queue, by, auditing.sentence(done, told))


def _standing(queue: Queue | None) -> str:
    if queue is None or not queue.paused:
        return "open"
    return f"paused ({queue.reason})" if queue.reason else "paused"


def _counted(name: str, status: State) -> int:
    """Counted in the index of the claim, and no further than an operator wants to know."""
    return Job.objects.filter(queue=name, status=status).order_by()[:COUNTED_DEPTH].count()


def _shown(worker: Worker) -> dict[str, Any]:
    return {
        "id": worker.id,
        "slots": worker.slots,
        "devices": worker.devices,
        "device_facts": worker.device_facts,
        "warm_models": worker.warm_models,
        "stopping": worker.stopping,
        "started_at": worker.started_at.isoformat().replace("+00:00", "Z"),
        "seen_at": worker.seen_at.isoformat().replace("+00:00", "Z"),
    }
