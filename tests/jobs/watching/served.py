"""The real front on a real port in this process: constants can be changed, the hub looked into.

Behind it stands a small WSGI program in Django's place, which hands every stream over: what the
views check is tested with the views.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import uvicorn
from django.db import connections

from dreamforge_site.front import measures
from dreamforge_site.front.bridge import Bridge
from dreamforge_site.front.connections import Connection
from dreamforge_site.front.router import Front
from dreamforge_site.operations import metrics
from jobs.watching import hub
from tests.jobs.watching.waiting import wait_until
from tests.services.process import free_port

Environ = dict[str, Any]
SHOWN = b'{"shown":true}'
MADE = b'{"made":true}'
REFUSED = b'{"code":"forbidden"}'
BLIND = "may submit and not read"


class Whole(list[bytes]):
    streaming = False


def program(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """`…/{job}/progress/stream` and `…/{job}?wait=N` as the views would allow them."""
    parts = environ["PATH_INFO"].split("/")
    query = parse_qs(environ["QUERY_STRING"])
    headers = [("Content-Length", "0"), ("X-Request-Id", "of-the-test")]
    if parts[-1] == "stream":
        ticket = {"job_id": parts[3], "after": int(environ.get("HTTP_LAST_EVENT_ID", "0"))}
        headers += [("Content-Type", "text/event-stream")]
        headers += [("X-Forge-Handoff", f"stream {json.dumps(ticket)}")]
        start_response("200 OK", headers)
        return Whole()
    if "wait" in query:
        ticket = {"job_id": parts[3], "seconds": float(query["wait"][0])}
        ticket["wrap"] = "" if "bare" in query else "job"
        ticket["path"] = f"/v1/jobs/{parts[3]}"
        headers += [("X-Forge-Handoff", f"wait {json.dumps(ticket)}"), ("Location", "/somewhere")]
        headers[0] = ("Content-Length", str(len(MADE)))
        start_response("202 Accepted", headers)
        return Whole([MADE])
    if environ.get("HTTP_X_API_KEY") == BLIND:
        length = str(len(REFUSED))
        start_response("403 Forbidden", [("Content-Length", length)])
        return Whole([REFUSED])
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(SHOWN)))]
    )
    return Whole([SHOWN])


class Served:
    def __init__(self) -> None:
        self.port = free_port()
        self._bridge = Bridge(program, threads=2)
        config = uvicorn.Config(
            Front(self._bridge, loopback_only=False),
            host="127.0.0.1",
            port=self.port,
            loop="uvloop",
            http=Connection,
            ws="none",
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="served")

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


def open_answers(kind: str) -> float:
    found: float = measures.OPEN.labels(kind)._value.get()
    return found


@contextlib.contextmanager
def serving() -> Iterator[Served]:
    hub.of_this_process.cache_clear()
    metrics.join()
    server = Served()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        of_all = hub.of_this_process()
        for pool in (of_all._looking, of_all._paging):
            pool.submit(connections.close_all).result()
            pool.shutdown()
        hub.of_this_process.cache_clear()


@pytest.fixture
def served(transactional_db: None) -> Iterator[Served]:
    with serving() as server:
        yield server
