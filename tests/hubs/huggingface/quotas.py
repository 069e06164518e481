"""How many requests a caller has in a window of time: one quota for the API, one for files."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.hubs.messages import Response, as_json

WINDOW_S = 300
SHOWN = {"api": 500, "resolvers": 3000}


@dataclass
class Quotas:
    """`limits` are enforced once a test sets them; until then the headers only tell."""

    clock: Callable[[], float]
    limits: dict[str, int] = field(default_factory=dict)
    window_s: int = WINDOW_S
    _used: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, bucket: str, caller: str) -> Response | None:
        """Count a request; the refusal, if it is one too many."""
        window = int(self.clock()) // self.window_s
        with self._lock:
            self._used[bucket, caller, window] += 1
        if bucket not in self.limits or self._left(bucket, caller) >= 0:
            return None
        return as_json({"error": "We had to rate limit you"}, 429)

    def told(self, response: Response, bucket: str, caller: str) -> Response:
        """With the headers that every answer carries."""
        limit = self.limits.get(bucket, SHOWN[bucket])
        reset = self.window_s - int(self.clock()) % self.window_s
        return response.having(
            ratelimit=f'"{bucket}";r={max(0, self._left(bucket, caller))};t={reset}',
            ratelimit_policy=f'"fixed window";"{bucket}";q={limit};w={self.window_s}',
        )

    def _left(self, bucket: str, caller: str) -> int:
        window = int(self.clock()) // self.window_s
        limit = self.limits.get(bucket, SHOWN[bucket])
        return limit - self._used[bucket, caller, window]
