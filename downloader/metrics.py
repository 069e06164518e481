"""What operators see of downloads: bytes counted by the workers, rates looked up at each scrape.

As in `jobs.metrics`, prometheus_client is imported on first use, after the site has arranged how it
counts.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

import structlog
from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from downloader.models import Download
from jobs.states import State

log = structlog.get_logger(__name__)

# A running download writes every second; an older rate is that of a worker which is gone.
FRESH = timedelta(seconds=15)


@cache
def _received() -> Any:
    from prometheus_client import Counter

    return Counter(
        "dreamforge_download_bytes", "Bytes taken from the network.", ("source",), registry=None
    )


@cache
def _files() -> Any:
    from prometheus_client import Counter

    return Counter(
        "dreamforge_download_installs", "Downloads by how they ended.", ("ending",), registry=None
    )


def received(source: str, count: int) -> None:
    if count > 0:
        _add(_received().labels(source), count)


def ended(ending: str) -> None:
    _add(_files().labels(ending), 1)


def _add(counter: Any, count: int) -> None:
    """Where numbers are kept may be full: that costs a number, never a download."""
    try:
        counter.inc(count)
    except OSError as error:
        log.warning("not_counted", reason=str(error))


def collect() -> list[Any]:
    """For METRIC_COLLECTORS."""
    try:
        return [_rate()]
    finally:
        if not connection.in_atomic_block:
            connection.close()  # the thread of this scrape ends with it


def _rate() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    running = Download.objects.filter(
        job__status=State.RUNNING, updated_at__gt=timezone.now() - FRESH
    )
    now = running.aggregate(rate=Sum("rate_bps"), count=Count("job_id"))
    family = GaugeMetricFamily(
        "dreamforge_download_rate", "Bytes a second of all running downloads.", labels=[]
    )
    family.add_metric([], float(now["rate"] or 0))
    return family
