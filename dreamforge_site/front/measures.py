"""What the front counts: streams that are open, and the events they were given."""

from __future__ import annotations

import asyncio

from dreamforge_site.operations import metrics  # noqa: F401  chooses how prometheus_client counts

from prometheus_client import Counter, Gauge  # isort: skip

OPEN = Gauge(
    "dreamforge_streams_open",
    "Answers that asyncio holds open: event streams, and requests that wait for a job.",
    ("kind",),
    multiprocess_mode="livesum",
    registry=None,
)
EVENTS = Counter(
    "dreamforge_stream_events_total", "Events given to clients.", ("kind",), registry=None
)
FLUSH_EVERY_S = 1.0


class Tally:
    """Counts in memory and writes once a second: ten thousand events a second cost nothing."""

    def __init__(self, kind: str) -> None:
        self._counter = EVENTS.labels(kind)
        self._pending = 0

    def add(self, events: int) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_later(FLUSH_EVERY_S, self.flush)
        self._pending += events

    def flush(self) -> None:
        pending, self._pending = self._pending, 0
        self._counter.inc(pending)
