"""All origins of the fake internet in one object: Hugging Face, CivitAI, their storage host and a
plain web server, each on a port of its own."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from tests.hubs.cdn import Storage
from tests.hubs.civitai import CivitAI
from tests.hubs.faults import Faults
from tests.hubs.huggingface import HuggingFace
from tests.hubs.listener import Listener
from tests.hubs.log import Entry, RequestLog
from tests.hubs.messages import Refused, Request, Response, text
from tests.hubs.web import Web


class Site(Protocol):
    """What answers on an origin."""

    @property
    def name(self) -> str: ...
    def subject(self, request: Request) -> str: ...
    def delivers(self, request: Request) -> bool: ...
    def answer(self, request: Request) -> Response: ...


@dataclass(frozen=True)
class Leak:
    """A secret that arrived where it had no business."""

    origin: str
    path: str
    where: str


@dataclass(frozen=True)
class Ports:
    """0: any free one."""

    huggingface: int = 0
    civitai: int = 0
    cdn: int = 0
    web: int = 0


class Hub:
    """`requests`: everything that was asked. `leaks`: secrets seen where they do not belong.
    `errors`: mistakes of this fake itself, raised at the end of `running`."""

    def __init__(
        self,
        ports: Ports = Ports(),
        *,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.requests = RequestLog()
        self.faults = Faults()
        self.leaks: list[Leak] = []
        self.errors: list[Exception] = []
        self._secrets: dict[str, str] = {}  # and the origin that may see it
        self._tls = tls
        self._listeners: dict[str, Listener] = {}
        self._retired: list[Listener] = []
        self._lock = threading.Lock()
        self.cdn = Storage(lambda: self.cdn_origin, clock)
        self.web = Web(lambda: self._listeners["web"].url)
        self.huggingface = HuggingFace(
            lambda: self.endpoint, self.cdn, lambda token: self.guard(token, "huggingface"), clock
        )
        self.civitai = CivitAI(
            lambda: self.civitai_endpoint, self.cdn, lambda token: self.guard(token, "civitai")
        )
        self._listen(self.cdn, ports.cdn)
        self._listen(self.web, ports.web)
        self._listen(self.huggingface, ports.huggingface)
        self._listen(self.civitai, ports.civitai)

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT shall be."""
        return self._listeners["huggingface"].url

    @property
    def civitai_endpoint(self) -> str:
        """What DF_CIVITAI_ENDPOINT shall be."""
        return self._listeners["civitai"].url

    @property
    def cdn_origin(self) -> str:
        return self._listeners["cdn"].url

    @property
    def web_origin(self) -> str:
        return self._listeners["web"].url

    @property
    def origins(self) -> dict[str, str]:
        """The address of each, by its name."""
        return {name: listener.url for name, listener in self._listeners.items()}

    def connections(self, origin: str) -> int:
        """Clients of an origin that are connected at this moment."""
        return self._listeners[origin].connections

    def bytes_sent(self, path: str = "*", *, origin: str | None = None) -> int:
        """Bytes of bodies sent, for a glob on the path or on the file it is about."""
        return sum(entry.sent for entry in self.requests.of(path, origin=origin))

    def rotate_cdn(self) -> None:
        """The storage moves to another port; the old one refuses connections from now on."""
        old = self._listeners["cdn"]
        self._retired.append(old)
        self._listen(self.cdn, 0)
        old.stop()

    def unplug(self, *origins: str) -> None:
        """These (none named: all) refuse connections, until `plug`; their ports stay theirs."""
        for name in origins or self._listeners:
            self._listeners[name].stop()

    def plug(self, *origins: str) -> None:
        for name in origins or self._listeners:
            self._listeners[name].start()

    def open_beside(self, name: str, answer: Callable[[Request], Response]) -> None:
        """One more origin, that knows no faults and is in no log."""

        def unheard(request: Request) -> tuple[Response, Entry]:
            return _refusable(answer, request), Entry.of(request)

        self._listeners[name] = Listener(name, unheard)

    def stop(self) -> None:
        for listener in (*self._listeners.values(), *self._retired):
            listener.close()

    def _listen(self, site: Site, port: int) -> None:
        def answer(request: Request) -> tuple[Response, Entry]:
            return self._answer(site, request)

        self._listeners[site.name] = Listener(site.name, answer, port=port, tls=self._tls)

    def _answer(self, site: Site, request: Request) -> tuple[Response, Entry]:
        about = replace(request, subject=site.subject(request), delivers=site.delivers(request))
        entry = self.requests.open(about)
        self._look_for_leaks(about)
        try:
            response = self.faults.around(about, lambda asked: _refusable(site.answer, asked))
        except Exception as error:  # noqa: BLE001 - kept and raised where the test ends
            self.errors.append(error)
            response = text(f"the fake hub failed: {error!r}", 500)
        entry.status = response.status
        return response, entry

    def guard(self, secret: str, origin: str) -> None:
        """Whoever sends this anywhere but to `origin` is in `leaks` afterwards."""
        self._secrets[secret] = origin

    def _look_for_leaks(self, request: Request) -> None:
        foreign = [secret for secret, home in self._secrets.items() if home != request.origin]
        places = {**request.headers, "target": request.target}
        found = [
            Leak(request.origin, request.path, where)
            for where, value in places.items()
            if any(secret in value for secret in foreign)
            or (where == "authorization" and request.origin == "cdn")
        ]
        with self._lock:
            self.leaks.extend(found)


def _refusable(answer: Callable[[Request], Response], request: Request) -> Response:
    try:
        return answer(request)
    except Refused as refused:
        return refused.response


@contextmanager
def running(
    ports: Ports = Ports(),
    *,
    tls: ssl.SSLContext | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[Hub]:
    """A hub in threads of this process, until the block ends."""
    hub = Hub(ports, tls=tls, clock=clock)
    try:
        yield hub
    finally:
        hub.stop()
    if hub.errors:
        raise ExceptionGroup("the fake hub failed", hub.errors)
