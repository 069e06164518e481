"""A client that follows nothing, retries nothing and hides nothing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 20


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    broken: str = ""  # the kind of error that ended the body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def location(self) -> str:
        return self.headers["location"]


def connect(origin: str) -> http.client.HTTPConnection:
    """A connection that stays, to an address like `hub.web_origin`."""
    return http.client.HTTPConnection(urlsplit(origin).netloc, timeout=TIMEOUT_S)


def ask(url: str, method: str = "GET", *, body: str | None = None, **headers: str) -> Answered:
    """One request on a connection of its own; `headers` with underscores for dashes."""
    connection = connect(url)
    try:
        return on(connection, url, method, body=body, **headers)
    finally:
        connection.close()


def on(
    connection: http.client.HTTPConnection,
    url: str,
    method: str = "GET",
    *,
    body: str | None = None,
    **headers: str,
) -> Answered:
    """One request on this connection."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, target, body, sent)
    response = connection.getresponse()
    data, broken = _read(response)
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answered(response.status, names, data, broken)


def _read(response: http.client.HTTPResponse) -> tuple[bytes, str]:
    try:
        return response.read(), ""
    except http.client.IncompleteRead as short:
        return short.partial, "short"
    except ConnectionResetError:
        return b"", "reset"
