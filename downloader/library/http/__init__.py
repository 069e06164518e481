"""Our HTTP: keep-alive, TLS, proxies, redirects and bounded retries, on bare sockets."""

from __future__ import annotations

from downloader.library.http.client import Client, ClientOptions
from downloader.library.http.guards import public_only
from downloader.library.http.responses import AGAIN, Answer, Hop, Response, StatusError
from downloader.library.http.wires import Broken

__all__ = [
    "AGAIN",
    "Answer",
    "Broken",
    "Client",
    "ClientOptions",
    "Hop",
    "Response",
    "StatusError",
    "public_only",
]
