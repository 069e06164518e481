"""Asking servers over HTTP: one answer at a time (`open`), or whole small ones (`get`, `json`)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from downloader.library.errors import ProtocolViolation, Throttled
from downloader.library.http import addresses, waiting
from downloader.library.http.connection import Patience
from downloader.library.http.dialing import Dialer, Guard
from downloader.library.http.pool import Pool
from downloader.library.http.proxies import Proxies
from downloader.library.http.responses import AGAIN, Answer, Response, StatusError
from downloader.library.http.walking import Walk
from downloader.library.http.wires import Broken, Tick
from downloader.library.remote import Location
from downloader.library.watch import Control

_LARGEST_ANSWER = 64 * 1024 * 1024


_VERSION = "0.1.0"


@dataclass(frozen=True)
class ClientOptions:
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 25.0  # without (nearly) any byte
    slowest_bytes_s: int = 1024  # over `read_timeout_s`; what is slower counts as stalled
    max_wait_s: float = 300.0  # for a server that asks to come back later, all waits together
    attempts: int = 5
    proxies: Mapping[str, str] | None = None  # by scheme, and `no`; None: the environment's
    ca_file: str | None = None  # None: SSL_CERT_FILE, REQUESTS_CA_BUNDLE, or the system's
    guard: Guard | None = None  # asked with (host, ip) before each connection
    insecure_redirects: bool = False  # https → http; between loopback addresses it is always fine
    user_agent: str = f"dreamforge/{_VERSION}"


class Client:
    """May be used by many threads. `close` ends the kept connections."""

    def __init__(self, options: ClientOptions | None = None) -> None:
        self.options = options or ClientOptions()
        self._pool = Pool(
            Dialer(
                Proxies(self.options.proxies),
                ca_file=self.options.ca_file,
                connect_timeout_s=self.options.connect_timeout_s,
                guard=self.options.guard,
            )
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._pool.close()

    def open(
        self,
        location: Location,
        *,
        span: tuple[int, int | None] | None = None,
        headers: Mapping[str, str] | None = None,
        at: str | None = None,
        tick: Tick | None = None,
    ) -> Response:
        """One GET, redirects followed, whatever the status. `span` asks for bytes from the first to
        the last named (None: to the end); `at` starts at an address a redirect led to before;
        `tick` is called twice a second while waiting, and may raise to stop.

        Raises Broken for what may be well the next time, ProtocolViolation or Refused otherwise.
        """
        home = addresses.parse(location.url)
        more = {"User-Agent": self.options.user_agent, **location.headers, **(headers or {})}
        if span is not None:
            more["Range"] = f"bytes={span[0]}-{'' if span[1] is None else span[1]}"
        walk = Walk(
            pool=self._pool,
            headers=more,
            authorization=location.authorization,
            secret_for=home.origin,
            tick=tick or _nothing,
            patience=self._patience(),
            insecure_redirects=self.options.insecure_redirects,
        )
        return walk.to_the_end(addresses.parse(at) if at else home)

    def get(
        self, location: Location, *, control: Control | None = None, limit: int = _LARGEST_ANSWER
    ) -> Answer:
        """A whole answer of at most `limit` bytes, whatever its status. Asked again, with growing
        waits, while the server is broken or busy."""
        failures, waited_s = 0, 0.0
        while True:
            failures += 1
            last = failures >= self.options.attempts
            answer = self._once(location, control, limit, last=last)
            asked_s = waiting.asked_for_s(answer.headers) if answer else None
            if answer and (answer.status not in AGAIN or (last and asked_s is None)):
                return answer
            wait_s = waiting.backoff_s(failures) if asked_s is None else max(asked_s, 0.1)
            waited_s += wait_s
            if waited_s > self.options.max_wait_s:
                raise _throttled(location.url, wait_s, self.options.max_wait_s)
            _sleep(wait_s, control)

    def json(self, location: Location, *, control: Control | None = None) -> Any:
        """The JSON of a 2xx answer; StatusError for another status."""
        return self.json_of(self.get(location, control=control))

    def json_of(self, answer: Answer) -> Any:
        if not 200 <= answer.status < 300:
            raise StatusError(answer)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise ProtocolViolation(f"{answer.shown} did not answer with JSON.") from None

    def _patience(self) -> Patience:
        options = self.options
        least = int(options.read_timeout_s * options.slowest_bytes_s)
        return Patience(options.read_timeout_s, least)

    def _once(
        self, location: Location, control: Control | None, limit: int, *, last: bool
    ) -> Answer | None:
        """None where it is worth another try."""
        try:
            response = self.open(location, tick=control.check if control else None)
            try:
                body = _whole(response, limit)
            finally:
                response.close()
        except Broken:
            if last:
                raise
            return None
        return Answer(response.status, response.headers, response.url, body)


def _throttled(url: str, wait_s: float, max_wait_s: float) -> Throttled:
    host = addresses.parse(url).origin.authority
    return Throttled(
        f"{host} asks to wait {wait_s:.0f} s; at most {max_wait_s:.0f} s in all are waited. "
        "Try again later.",
        retry_after_s=wait_s,
        details={"host": host, "retry_after_s": round(wait_s)},
    )


def _whole(response: Response, limit: int) -> bytes:
    body, view = bytearray(), memoryview(bytearray(64 * 1024))
    while got := response.read_into(view):
        body += view[:got]
        if len(body) > limit:
            raise ProtocolViolation(
                f"{response.address.shown} answered with more than {limit} bytes."
            )
    return bytes(body)


def _sleep(seconds: float, control: Control | None) -> None:
    if control is None:
        time.sleep(seconds)
    else:
        control.sleep(seconds)


def _nothing() -> None:
    """Nobody wants to stop."""
