"""What `/metrics` shows: the shared counts, and what the collectors find out at that moment."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from dreamforge_site.api.errors import ApiError
from dreamforge_site.environment import is_loopback
from dreamforge_site.operations import metrics
from dreamforge_site.operations.bounded import Outcome, Panel

# After `metrics`, which chooses how prometheus_client counts.
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest  # isort: skip
from prometheus_client.core import GaugeMetricFamily, Metric  # isort: skip
from prometheus_client.registry import Collector  # isort: skip

log = structlog.get_logger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST
COLLECT_LIMIT_S = 3.0

_panel: Panel[list[Metric]] = Panel(COLLECT_LIMIT_S)


def render() -> bytes:
    """Everything in the Prometheus text format; a collector that fails costs only its own part."""
    registry = CollectorRegistry()
    registry.register(_Collected(_panel.ask(_collectors(tuple(settings.METRIC_COLLECTORS)))))
    if not metrics.are_shared():
        registry.register(metrics.HTTP_LATENCY)
        return generate_latest(registry)
    with metrics.exclusive():
        registry.register(_Counted(metrics.collect()))
        return generate_latest(registry)


@cache
def _collectors(paths: tuple[str, ...]) -> Mapping[str, Callable[[], list[Metric]]]:
    return {path: _listing(import_string(path)) for path in paths}


def _listing(collect: Callable[[], Iterable[Metric]]) -> Callable[[], list[Metric]]:
    return lambda: list(collect())


class _Counted(Collector):
    def __init__(self, counted: list[Metric]) -> None:
        self._counted = counted

    def collect(self) -> list[Metric]:
        return self._counted


class _Collected(Collector):
    def __init__(self, outcomes: Mapping[str, Outcome[list[Metric]]]) -> None:
        self._outcomes = outcomes

    def collect(self) -> Iterator[Metric]:
        worked = GaugeMetricFamily(
            "dreamforge_collector_ok", "1 when the collector answered in time.", labels=["name"]
        )
        for path, outcome in self._outcomes.items():
            yield from outcome.value or ()
            worked.add_metric([path.rpartition(".")[2]], float(outcome.value is not None))
            if outcome.value is None:
                log.warning("collector_failed", collector=path, exc_info=outcome.error)
        yield worked


def refusal(peer: str, headers: Mapping[str, str]) -> ApiError | None:
    """Why this caller may not read the metrics: they are for loopback and the token's bearer.

    A request that came through a proxy is never loopback's, though the proxy may be: it says so in
    a header. (Believed proxies have already put the client's own address into `peer`.)
    """
    forwarded = headers.get("x-forwarded-for") or headers.get("forwarded")
    if (is_loopback(peer) and not forwarded) or _bears_token(headers):
        return None
    if settings.ENVIRONMENT.metrics_token is None:
        return ApiError("forbidden", "Metrics are open to loopback only: set DF_METRICS_TOKEN.")
    return ApiError("unauthenticated", "Send DF_METRICS_TOKEN as a bearer token.")


def _bears_token(headers: Mapping[str, str]) -> bool:
    token = settings.ENVIRONMENT.metrics_token
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return secrets.compare_digest(given.strip().encode(), token.get_secret_value().encode())
