"""What operators see of downloads: bytes counted by the workers, rates looked up at each scrape.

As in `jobs.metrics`, prometheus_client is imported on first use, after the site has arranged how it
counts.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from downloader.hub.models import Repo, RepoStatus
from downloader.models import Download
from jobs.metrics import harmless
from jobs.states import State

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


@harmless
def received(source: str, count: int) -> None:
    if count > 0:
        _received().labels(source).inc(count)


@harmless
def ended(ending: str) -> None:
    _files().labels(ending).inc()


def collect() -> list[Any]:
    """For METRIC_COLLECTORS."""
    try:
        return [_rate(), *_hub()]
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


def _hub() -> list[Any]:
    """Tracked repositories, in one query; few, whatever the number of their files."""
    from prometheus_client.core import GaugeMetricFamily

    counts: dict[str, Any] = {
        status.value: Count("pk", filter=Q(status=status.value)) for status in RepoStatus
    }
    known = Repo.objects.aggregate(
        **counts,
        updates=Count("pk", filter=~Q(update_commit="")),
        gone=Count("pk", filter=Q(gone_at__isnull=False)),
    )
    repos = GaugeMetricFamily(
        "dreamforge_hub_repositories", "Tracked repositories.", labels=["status"]
    )
    for status in RepoStatus:
        repos.add_metric([status.value], known[status.value])
    updates = GaugeMetricFamily(
        "dreamforge_hub_updates", "Tracked branches that have moved.", value=known["updates"]
    )
    gone = GaugeMetricFamily(
        "dreamforge_hub_gone",
        "Tracked repositories that their source has no more.",
        value=known["gone"],
    )
    return [repos, updates, gone]
