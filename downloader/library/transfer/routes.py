"""The way to the bytes of a file: the source's answer, and where its redirects led."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from downloader.library.http import Response
from downloader.library.http.addresses import parse
from downloader.library.remote import Location, RemoteFile

Locate = Callable[[RemoteFile], Location]


@dataclass(frozen=True)
class Route:
    """`at`: the (signed) address behind the redirects, once it is known."""

    location: Location
    at: str | None = None

    @property
    def direct(self) -> bool:
        return self.at is not None


class Routes:
    """The route of one file, shared by its connections."""

    def __init__(self, file: RemoteFile, locate: Locate) -> None:
        self._file = file
        self._locate = locate
        self._lock = threading.Lock()
        self._route: Route | None = None

    def current(self) -> Route:
        """Asks the source when there is no route: one thread does, the others wait for it."""
        with self._lock:
            if self._route is None:
                self._route = Route(self._locate(self._file))
            return self._route

    def arrived(self, route: Route, response: Response) -> None:
        """The bytes are there: the next requests need not be redirected again."""
        if not response.hops:
            return
        with self._lock:
            if self._route is route:
                self._route = Route(route.location, response.url)

    def expired(self, route: Route) -> None:
        """It leads nowhere any more; the next request asks the source again."""
        with self._lock:
            if self._route is route:
                self._route = None


def is_elsewhere(route: Route, response: Response) -> bool:
    """Whether the answer comes from another origin than the one the source named."""
    return response.address.origin != parse(route.location.url).origin
