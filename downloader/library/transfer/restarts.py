"""When to try again, when to give up."""

from __future__ import annotations

from dataclasses import dataclass

from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    ProtocolViolation,
    Throttled,
    Unreachable,
)
from downloader.library.http import Broken
from downloader.library.http.waiting import backoff_s
from downloader.library.transfer.answers import Busy, Expired, RangeIgnored

PROGRESS = 64 * 1024  # fewer bytes than these do not count: a server that drips and breaks goes on
MOST_RELOCATIONS = 3
MOST_STARTS = 8
MOST_CHANGES = 2


@dataclass(frozen=True)
class Restart:
    reason: str
    single: bool  # on one connection from now on


class Starts:
    """How often a file has begun again."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._count = 0
        self._changes = 0
        self._single = False

    def again(self, restart: Restart) -> bool:
        """Whether one connection has to do it: two versions cannot be in a single answer."""
        self._count += 1
        if self._count > MOST_STARTS:
            raise ProtocolViolation(
                f"{self._path!r} was started {self._count} times and never came whole: "
                f"{restart.reason}.",
                details={"path": self._path},
            )
        self._changes += not restart.single
        self._single = self._single or restart.single or self._changes > MOST_CHANGES
        return self._single


class Trouble:
    """What went wrong since the last progress. Each `after_…` gives the seconds to wait, or raises
    the error that ends the file."""

    def __init__(self, path: str, attempts: int, max_wait_s: float) -> None:
        self._path = path
        self._attempts = attempts
        self._max_wait_s = max_wait_s
        self.progressed()

    def progressed(self) -> None:
        self._failures = 0
        self._ignored = 0
        self._relocations = 0
        self._waited_s = 0.0

    def after_break(self, error: Broken | RangeIgnored) -> float:
        self._failures += 1
        if self._failures >= self._attempts:
            raise self._given_up(error)
        return backoff_s(self._failures)

    def after_ignored_range(self) -> bool:
        """True when that is how the server is, and not a moment's mood."""
        self._ignored += 1
        return self._ignored > 1

    def after_busy(self, busy: Busy) -> float:
        if busy.wait_s is None:
            self._failures += 1
            if self._failures >= self._attempts:
                raise self._busy_for_good(busy, backoff_s(self._failures))
        wait = backoff_s(self._failures) if busy.wait_s is None else max(0.05, busy.wait_s)
        self._waited_s += wait
        if self._waited_s > self._max_wait_s:
            raise self._busy_for_good(busy, wait)
        return wait

    def after_expiry(self, expired: Expired) -> float:
        self._relocations += 1
        if self._relocations > MOST_RELOCATIONS:
            raise AccessNeeded(
                f"{expired}, and new addresses did not help: {self._path!r} may need a permission.",
                details={"path": self._path, "status": expired.status},
            )
        return 0.0 if self._relocations == 1 else backoff_s(self._relocations)

    def _given_up(self, error: Exception) -> DownloadError:
        text = f"{self._path!r}: gave up after {self._attempts} attempts without progress. {error}"
        facts = {"path": self._path}
        if isinstance(error, Broken) and "lie" in error.details:
            return ProtocolViolation(text, details=facts)
        return Unreachable(text, details=facts)

    def _busy_for_good(self, busy: Busy, wait_s: float) -> DownloadError:
        facts = {"path": self._path, "status": busy.status, "retry_after_s": round(wait_s)}
        if busy.status != 429 and busy.wait_s is None:
            return Unreachable(
                f"{busy} {self._attempts} times. Try again later; what was fetched is kept.",
                details=facts,
            )
        return Throttled(
            f"{busy} and asks to wait {wait_s:.0f} s; at most {self._max_wait_s:.0f} s in all are "
            "waited. Try again later; what was fetched is kept.",
            retry_after_s=wait_s,
            details=facts,
        )
