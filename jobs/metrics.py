"""What operators see of the engine: counted by the workers as it happens, and looked up in the
database when `/metrics` is asked.

prometheus_client chooses how it counts when it is first imported, and the site arranges that. So it
is imported here on first use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any, NamedTuple, ParamSpec

import structlog
from django.db import connection
from django.db.models import Count

from jobs import kinds, queueing
from jobs.models import Job
from jobs.states import LIVE, TERMINAL, State
from jobs.webhooks.models import Outcome, WebhookDelivery

log = structlog.get_logger(__name__)

Counting = ParamSpec("Counting")
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14_400)
# Ended jobs can be millions, and their numbers grow slowly.
RECOUNT_EVERY_S = 60.0


class _Counted(NamedTuple):
    waited: Any
    ran: Any
    item: Any
    errors: Any
    webhooks: Any
    gpu_memory: Any


@cache
def _counted() -> _Counted:
    from prometheus_client import Counter, Gauge, Histogram

    def seconds(name: str, documentation: str, *labels: str) -> Histogram:
        return Histogram(name, documentation, labels, buckets=SECONDS, registry=None)

    return _Counted(
        seconds(
            "dreamforge_job_wait_seconds", "From when a job could start to its start.", "queue"
        ),
        seconds("dreamforge_job_run_seconds", "One attempt at a job.", "type", "ending"),
        seconds("dreamforge_job_item_seconds", "One item of a job.", "type"),
        Counter(
            "dreamforge_job_errors",
            "Attempts that failed; `outcome` is retried, failed or dead.",
            ("code", "outcome"),
            registry=None,
        ),
        Counter(
            "dreamforge_webhook_attempts",
            "Attempts to deliver; `outcome` is delivered, retried or failed (given up).",
            ("outcome",),
            registry=None,
        ),
        Gauge(
            "dreamforge_gpu_memory_bytes",
            "Of a device: in use `before` its last runner started and `after` it was gone, and "
            "the `peak` of the last request.",
            ("device", "moment"),
            registry=None,
            multiprocess_mode="livesum",  # a device is drawn on by one process
        ),
    )


def harmless(count: Callable[Counting, None]) -> Callable[Counting, None]:
    """Where numbers are kept may be full or gone: that costs a number, never a job its attempt."""

    @wraps(count)
    def counted(*facts: Counting.args, **named: Counting.kwargs) -> None:
        try:
            count(*facts, **named)
        except OSError as error:
            log.warning("not_counted", metric=count.__name__, reason=str(error))

    return counted


@harmless
def job_started(queue: str, waited_s: float) -> None:
    _counted().waited.labels(queue).observe(max(0.0, waited_s))


@harmless
def attempt_ended(type_name: str, ending: str, took_s: float) -> None:
    _counted().ran.labels(type_name, ending).observe(took_s)


@harmless
def item_finished(type_name: str, took_s: float) -> None:
    _counted().item.labels(type_name).observe(took_s)


@harmless
def attempt_failed(code: str, outcome: str) -> None:
    _counted().errors.labels(code, outcome).inc()


@harmless
def webhook_attempted(outcome: str) -> None:
    _counted().webhooks.labels(outcome).inc()


@harmless
def gpu_memory(device: str, **bytes_at: int | None) -> None:
    """By moment; one that is not known leaves what was known of it."""
    for moment, size in bytes_at.items():
        if size is not None:
            _counted().gpu_memory.labels(device, moment).set(size)


def collect() -> list[Any]:
    """For METRIC_COLLECTORS: what the database knows at this moment."""
    try:
        return [_jobs(), _dead(), *_queues(), _deliveries()]
    finally:
        if not connection.in_atomic_block:
            connection.close()  # the thread of this scrape ends with it


def _jobs() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("dreamforge_jobs", "Jobs.", labels=["type", "status"])
    for (type_name, status), count in {**_ended.counts(), **_count(LIVE)}.items():
        family.add_metric([type_name, status], count)
    return family


def _dead() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("dreamforge_dead_letters", "Jobs that used up their attempts.")
    family.add_metric([], Job.objects.dead().order_by().count())
    return family


def _queues() -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    named = {
        "depth": ("dreamforge_queue_depth", "Jobs that wait."),
        "running": ("dreamforge_queue_running", "Jobs that run."),
        "paused": ("dreamforge_queue_paused", "1 when nothing new is started."),
        "workers": ("dreamforge_queue_workers", "Worker processes alive."),
        "slots": ("dreamforge_queue_slots", "Jobs they can run at once."),
    }
    overview = queueing.overview()
    for key, (name, documentation) in named.items():
        family = GaugeMetricFamily(name, documentation, labels=["queue"])
        for queue in overview:
            family.add_metric([queue["name"]], _number(queue, key))
        yield family


def _number(queue: dict[str, Any], key: str) -> float:
    if key == "slots":
        return float(sum(worker["slots"] for worker in queue["workers"]))
    value = queue[key]
    return float(len(value) if isinstance(value, list) else value)


def _deliveries() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(
        "dreamforge_webhook_deliveries",
        "Messages that are still owed, or were given up and are kept.",
        labels=["status"],
    )
    for status in UNDELIVERED:
        count = WebhookDelivery.objects.filter(status=status).order_by().count()
        family.add_metric([status], count)
    return family


Counts = dict[tuple[str, str], int]
UNDELIVERED = (Outcome.PENDING.value, Outcome.FAILED.value)


def _count(statuses: frozenset[State]) -> Counts:
    """By type and status; a type without jobs counts 0, so that its line does not come and go."""
    rows = Job.objects.filter(status__in=sorted(statuses)).order_by().values_list("type", "status")
    counts = {(name, status): 0 for name in kinds.table() for status in sorted(statuses)}
    return counts | {(name, status): count for name, status, count in rows.annotate(Count("pk"))}


class _Ended:
    """How many jobs have ended, counted now and then."""

    def __init__(self) -> None:
        self._counts: Counts = {}
        self._due = 0.0

    def counts(self) -> Counts:
        if time.monotonic() >= self._due:
            self._counts = _count(TERMINAL)
            self._due = time.monotonic() + RECOUNT_EVERY_S
        return self._counts

    def forget(self) -> None:
        self._due = 0.0


_ended = _Ended()
forget = _ended.forget
