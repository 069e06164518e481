"""huggingface_hub, sending through our own HTTP client.

The library has one HTTP session for the whole process: without timeouts, deaf to a stop, sleeping
as long as a server asks. This module puts a session in that place which hands calls made within
`through` to a `Client`: its timeouts, retries, proxies, authorities and manners with tokens. Calls
of anybody else in the process go the library's own way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx2
from huggingface_hub import constants, get_session, set_client_factory
from huggingface_hub.utils._http import hf_request_event_hook

from downloader.library.errors import Refused
from downloader.library.http import Answer, Client, addresses
from downloader.library.http.addresses import Origin
from downloader.library.remote import Location
from downloader.library.watch import Control

LIBRARY_LOG = "huggingface_hub"
LONGEST_ANSWER = 64 * 1024 * 1024

# It would tell the hub about this machine's software, and ask another address for what to tell.
constants.HF_HUB_DISABLE_TELEMETRY = True


@dataclass(frozen=True)
class Terms:
    client: Client
    control: Control
    origin: Origin  # of the endpoint; the token is for it alone
    token: str | None


_terms: ContextVar[Terms | None] = ContextVar("terms", default=None)
_placing = threading.Lock()


class Session(httpx2.Client):
    """The library's session as it would make it, but for calls within `through`."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        terms = _terms.get()
        if terms is None:
            return super().send(request, **options)
        if constants.is_offline_mode():
            raise Refused("HF_HUB_OFFLINE is set here, so the hub is not asked. Unset it.")
        url = str(request.url)
        ours = terms.token and addresses.parse(url).origin == terms.origin
        location = Location(url, authorization=f"Bearer {terms.token}" if ours else None)
        return _translated(terms.client.get(location, control=terms.control, limit=LONGEST_ANSWER))


def _translated(answer: Answer) -> httpx2.Response:
    framing = ("content-encoding", "content-length", "transfer-encoding")
    return httpx2.Response(
        answer.status,
        headers={name: value for name, value in answer.headers.items() if name not in framing},
        content=answer.body,
        request=httpx2.Request("GET", answer.url),
    )


@contextmanager
def through(client: Client, endpoint: str, token: str | None, control: Control) -> Iterator[None]:
    """What this thread asks the library for within the block goes through `client`; the token goes
    along to the endpoint."""
    _take_the_place()
    before = _terms.set(Terms(client, control, addresses.parse(endpoint).origin, token))
    try:
        yield
    finally:
        _terms.reset(before)


def _take_the_place() -> None:
    with _placing:
        if not isinstance(get_session(), Session):
            # Its warnings quote whole addresses; ours say what there is to say.
            logging.getLogger(LIBRARY_LOG).setLevel(logging.ERROR)
            set_client_factory(_session)


def _session() -> Session:
    hooks: dict[str, list[Callable[..., Any]]] = {"request": [hf_request_event_hook]}
    return Session(event_hooks=hooks, follow_redirects=True, timeout=None)
