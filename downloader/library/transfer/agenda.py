"""What a free thread does next: a small file, a claim on a large one, or wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from downloader.library.transfer.download import Download, Mode
from downloader.library.transfer.pace import Governor
from downloader.library.transfer.segments import Claim
from downloader.library.transfer.small import Small

Task = Callable[[], None]
_LEAST_CLAIM = 2 * 1024 * 1024
_MOST_SEGMENTS = 8
_CLAIM_S = 1.0  # what one request should take: then its latency does not count
_LOOK_AGAIN_S = 0.2


class Agenda:
    """Small files come first, as many at a time as allowed; large ones in order, the next only when
    the ones before it leave connections free."""

    def __init__(
        self,
        small: Iterable[Small],
        large: Iterable[Download],
        *,
        most_files: int,
        segment_bytes: int,
        governor: Governor,
        clock: Callable[[], float],
    ) -> None:
        self.bell = threading.Condition()
        self.open: list[Download] = []
        self.fetching = 0  # connections on large files
        self._small = deque(small)
        self._large = deque(large)
        self._most_files = most_files
        self.small_now = 0
        self._segment_bytes = segment_bytes
        self._governor = governor
        self._clock = clock
        self._over = False

    def wake(self) -> None:
        with self.bell:
            self.bell.notify_all()

    def end(self) -> None:
        with self.bell:
            self._over = True
            self.bell.notify_all()

    def next(self) -> Small | Download | tuple[Download, Claim] | None:
        """A small file to fetch, a large one to begin, a claim; None when all is over. Say `done`
        afterwards."""
        with self.bell:
            while not self._over:
                found = self._choose()
                if found is not None:
                    return found
                self.bell.wait(_LOOK_AGAIN_S)
        return None

    def done(self, task: object) -> None:
        with self.bell:
            if isinstance(task, Small):
                self.small_now -= 1
            else:
                self.fetching -= 1
            self.bell.notify()

    def finished(self, download: Download) -> None:
        with self.bell:
            self.open.remove(download)

    def _choose(self) -> Small | Download | tuple[Download, Claim] | None:
        if self._small and self.small_now < self._most_files:
            self.small_now += 1
            return self._small.popleft()
        if self.fetching >= self._governor.allowed:
            return None
        found = self._claim() or self._begin() or self._share()
        self.fetching += found is not None
        return found

    def _claim(self) -> tuple[Download, Claim] | None:
        now = self._clock()
        for download in self.open:
            claim = download.claim(self._claim_bytes(download), now)
            if claim is not None:
                return download, claim
        return None

    def _begin(self) -> Download | None:
        if not self._large or any(download.mode is Mode.PROBING for download in self.open):
            return None
        download = self._large.popleft()
        self.open.append(download)
        return download

    def _share(self) -> tuple[Download, Claim] | None:
        now = self._clock()
        for download in self.open:
            claim = download.share(now)
            if claim is not None:
                return download, claim
        return None

    def _claim_bytes(self, download: Download) -> int:
        """About a second's worth; less towards the end, so that all end together."""
        governor, least = self._governor, self._segment_bytes
        worth = min(_MOST_SEGMENTS * least, max(least, int(governor.share_of_one() * _CLAIM_S)))
        fair = download.segments.missing_bytes // (2 * governor.allowed)
        return max(min(_LEAST_CLAIM, least), min(worth, fair)) if download.segments.size else least
