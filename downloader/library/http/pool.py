"""Connections kept for the next request to the same origin."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from downloader.library.http.addresses import Origin
from downloader.library.http.connection import Connection
from downloader.library.http.dialing import Dialer
from downloader.library.http.wires import Tick, is_stale

_KEPT_S = 30.0
_KEPT_EACH = 64


class Pool:
    """Handed out and given back by many threads."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._lock = threading.Lock()
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._closed = False

    def take(self, origin: Origin, tick: Tick) -> Connection:
        """The one used last, when it is still good; else a new one."""
        while (kept := self._pop(origin)) is not None:
            if self._is_good(kept):
                return kept
            kept.close()
        return self.fresh(origin, tick)

    def fresh(self, origin: Origin, tick: Tick) -> Connection:
        return Connection(origin, self._dialer.dial(origin, tick))

    def give_back(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            idle = self._idle[connection.origin]
            if connection.clean and not self._closed and len(idle) < _KEPT_EACH:
                idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle = [kept for origin in self._idle.values() for kept in origin]
            self._idle.clear()
        for kept in idle:
            kept.close()

    def _pop(self, origin: Origin) -> Connection | None:
        with self._lock:
            idle = self._idle.get(origin)
            return idle.pop() if idle else None

    def _is_good(self, kept: Connection) -> bool:
        return time.monotonic() - kept.idle_since < _KEPT_S and not is_stale(kept.socket)
