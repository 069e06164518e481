"""How fast, and with how many connections."""

from __future__ import annotations

import threading

_BURST_S = 0.05
_WINDOW_S = 0.1
_BUSY = 0.75  # of all processors: then more connections only compete
_WORTH = 0.25  # of what as many more connections would bring if the link were free
_HOLD_S = 4.0
_LONGEST_HOLD_S = 60.0


class Bucket:
    """A bandwidth cap that many threads share: each is told how long to sleep before it reads."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, count: int, now: float) -> float:
        """Seconds to sleep before `count` bytes are received."""
        if not self.rate:
            return 0.0
        with self._lock:
            self._free_at = max(self._free_at, now - _BURST_S)
            wait = self._free_at - now
            self._free_at += count / self.rate
        return max(0.0, wait)

    def put_back(self, count: int) -> None:
        """They did not come after all."""
        if self.rate and count:
            with self._lock:
                self._free_at -= count / self.rate

    def block(self, most: int) -> int:
        """How much to read at once, so that the cap is kept smoothly."""
        return most if not self.rate else max(1024, min(most, self.rate // 40))


class Governor:
    """How many connections large files use: more as long as more bring more.

    It starts with one, which is the fastest where the processor is the limit. While processors
    have time left it tries more, and keeps them when the rate grew by a fair part of what they
    could have brought; else it goes back, and tries again later.
    """

    def __init__(self, first: int, most: int, now: float) -> None:
        self._most = most
        self.allowed = min(first, most)
        self.rate = 0.0
        self._settle_s = 0.0
        self._hold_s = _HOLD_S
        self._hold_until = 0.0
        self._settled_at = 0.0
        self._before: tuple[int, float] | None = None  # connections and rate before the trial
        self._open(now, 0, 0.0)

    def first_byte_after(self, seconds: float) -> None:
        """What a new connection needs until its first bytes come."""
        self._settle_s = min(2.0, 1.5 * seconds)

    def sample(self, now: float, received: int, cpu_share: float) -> bool:
        """Look at the bytes so far and the processor seconds so far, divided by the processors.
        True when `allowed` changed."""
        took = now - self._since
        if now < self._settled_at:
            self._open(now, received, cpu_share)
        if took < _WINDOW_S or now < self._settled_at:
            return False
        rate, busy = (received - self._bytes) / took, (cpu_share - self._cpu) / took
        was = self.allowed
        self.rate = rate
        self._judge(now, rate)
        if rate and busy < _BUSY and now >= self._hold_until and self._before is None:
            self._try_more(rate)
        self._settled_at = now + (self._settle_s if self.allowed > was else 0)
        self._open(now, received, cpu_share)
        return self.allowed != was

    def back_off(self, now: float) -> None:
        """The server asked for less."""
        self.allowed = self._most = max(1, self.allowed // 2)
        self._before = None
        self._hold_until = now + _LONGEST_HOLD_S

    def share_of_one(self) -> float:
        """Bytes per second of one connection, about."""
        return self.rate / self.allowed

    def _judge(self, now: float, rate: float) -> None:
        if self._before is None:
            return
        connections, earlier = self._before
        self._before = None
        hoped = earlier * (self.allowed / connections - 1)
        if rate - earlier >= _WORTH * hoped:
            self._hold_s = _HOLD_S
        else:
            self.allowed = connections
            self._hold_until = now + self._hold_s
            self._hold_s = min(_LONGEST_HOLD_S, 2 * self._hold_s)

    def _try_more(self, rate: float) -> None:
        if self.allowed < self._most:
            self._before = self.allowed, rate
            self.allowed = min(self._most, self.allowed * (4 if self.allowed < 16 else 2))

    def _open(self, since: float, received: int, cpu_share: float) -> None:
        self._since, self._bytes, self._cpu = since, received, cpu_share
