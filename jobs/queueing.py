"""Queues as people see them: paused or not, how deep, who works, how long a job will wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F
from django.utils import timezone

from jobs import kinds
from jobs.models import Job, Queue, Worker
from jobs.states import State

WORKER_SILENT_AFTER = timedelta(seconds=20)
MEASURED_JOBS = 50
COUNTED_JOBS = 10_000  # a place beyond this is not counted out


@dataclass(frozen=True)
class Place:
    position: int
    eta_s: float | None


def pause(name: str, reason: str = "") -> None:
    """Start nothing new from this queue; what runs goes on. Pausing and waiting for `running` to
    reach 0 is a drain."""
    _set(name, paused=True, reason=reason)


def resume(name: str) -> None:
    _set(name, paused=False, reason="")


def overview() -> list[dict[str, Any]]:
    stored = {queue.name: queue for queue in Queue.objects.all()}
    counts = _counts()
    return [
        {
            "name": name,
            "paused": stored[name].paused if name in stored else False,
            "reason": stored[name].reason if name in stored else "",
            "depth": counts.get((name, State.QUEUED), 0),
            "running": counts.get((name, State.RUNNING), 0),
            "workers": [_shown(worker) for worker in living_workers(name)],
        }
        for name in kinds.QUEUES
    ]


def living_workers(queue: str) -> list[Worker]:
    since = timezone.now() - WORKER_SILENT_AFTER
    return list(Worker.objects.filter(queue=queue, seen_at__gte=since).order_by("id"))


def place(job: Job) -> Place | None:
    """Where a waiting job stands, as the claims deal shares: before it go all of better priority,
    its owner's older ones, and as many of each other owner as turns come round until then."""
    if job.status != State.QUEUED:
        return None
    waiting = Job.objects.filter(queue=job.queue, status=State.QUEUED)
    better = waiting.filter(priority__gt=job.priority)[:COUNTED_JOBS].count()
    peers = waiting.filter(priority=job.priority)
    mine = peers.filter(share=job.share, available_at__lt=job.available_at)[:COUNTED_JOBS].count()
    others = peers.exclude(share=job.share).order_by().values("share").annotate(count=Count("id"))
    position = better + mine + sum(min(row["count"], mine + 1) for row in others) + 1
    return Place(position, _eta_s(job, position))


def _eta_s(job: Job, position: int) -> float | None:
    """Rounds of work before it, each as long as such jobs took lately; None when unknown."""
    slots = sum(worker.slots for worker in living_workers(job.queue))
    typical = typical_run_s(job.type)
    if not slots or typical is None:
        return None
    return round((position - 1) // slots * typical, 1)


def typical_run_s(type_name: str) -> float | None:
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    lately = (
        Job.objects.filter(type=type_name, status=State.SUCCEEDED, started_at__isnull=False)
        .order_by("-created_at", "-id")
        .annotate(took=took)[:MEASURED_JOBS]
    )
    average = Job.objects.filter(id__in=[job.id for job in lately]).aggregate(mean=Avg(took))
    mean: timedelta | None = average["mean"]
    return None if mean is None else mean.total_seconds()


def _set(name: str, *, paused: bool, reason: str) -> None:
    Queue.objects.update_or_create(
        name=name, defaults={"paused": paused, "reason": reason, "changed_at": timezone.now()}
    )


def _counts() -> dict[tuple[str, str], int]:
    live = Job.objects.filter(status__in=[State.QUEUED, State.RUNNING]).order_by()
    rows = live.values_list("queue", "status").annotate(count=Count("id"))
    return {(queue, status): count for queue, status, count in rows}


def _shown(worker: Worker) -> dict[str, Any]:
    return {
        "id": worker.id,
        "slots": worker.slots,
        "devices": worker.devices,
        "warm_models": worker.warm_models,
        "stopping": worker.stopping,
        "started_at": worker.started_at.isoformat().replace("+00:00", "Z"),
        "seen_at": worker.seen_at.isoformat().replace("+00:00", "Z"),
    }
