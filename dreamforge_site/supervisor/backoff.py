"""How long a crashed child waits for its next start. Pure: no clock, no process."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_S = 0.5
FACTOR = 2.0
LONGEST_S = 30.0
# A child that ran this long has shown that it can: its next crash counts as the first.
STABLE_S = 60.0


@dataclass(frozen=True)
class Backoff:
    crashes: int = 0

    @property
    def delay_s(self) -> float:
        exponent = min(max(self.crashes - 1, 0), 32)
        return min(FIRST_S * FACTOR**exponent, LONGEST_S)

    def after_crash(self, uptime_s: float) -> Backoff:
        crashes = 1 if uptime_s >= STABLE_S else self.crashes + 1
        return replace(self, crashes=crashes)
