"""`/healthz` and `/metrics` of a process that serves no web: workers and the scheduler.

Off unless DF_WORKER_HTTP names an address. The counts are the machine's, so where several workers
share a machine the first to listen speaks for all, and the others say in the log that they do not.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog
from django.conf import settings

from dreamforge_site import correlation
from dreamforge_site.api import errors
from dreamforge_site.api.errors import ApiError
from dreamforge_site.operations import exposition, metrics

log = structlog.get_logger(__name__)

ALIVE = {"status": "ok"}
JSON = "application/json"


def start_if_configured() -> ThreadingHTTPServer | None:
    """Join the metrics of this machine, and listen when an address is set."""
    metrics.join()
    address = settings.ENVIRONMENT.worker_http
    return None if address is None else start(address)


def start(address: str) -> ThreadingHTTPServer | None:
    """Listen at `host:port` in a daemon thread; an address in use is told, and work goes on."""
    host, _, port = address.rpartition(":")
    try:
        server = _server(host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        log.warning("worker_http_not_listening", address=address, reason=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="worker-http", daemon=True).start()
    log.info("worker_http_listening", address=address)
    return server


def _server(host: str, port: int) -> ThreadingHTTPServer:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server_class = type("Server", (ThreadingHTTPServer,), {"address_family": family})
    server: ThreadingHTTPServer = server_class((host, port), Handler)
    return server


class Handler(BaseHTTPRequestHandler):
    server_version = "dreamforge"
    sys_version = ""
    timeout = 10  # a client that sends nothing does not keep a thread

    def do_GET(self) -> None:
        self.sent = {name.lower(): value for name, value in self.headers.items()}
        self.request_id = correlation.from_headers(self.sent)
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._answer(HTTPStatus.OK, JSON, json.dumps(ALIVE).encode())
        elif path == "/metrics":
            self._metrics()
        else:
            self._refuse(ApiError("not_found", f"Nothing is at {path}."))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _metrics(self) -> None:
        error = exposition.refusal(str(self.client_address[0]), self.sent)
        if error is not None:
            self._refuse(error)
        else:
            self._answer(HTTPStatus.OK, exposition.CONTENT_TYPE, exposition.render())

    def _refuse(self, error: ApiError) -> None:
        error.correlation_id = self.request_id
        body = json.dumps(errors.envelope(error)).encode()
        self._answer(error.status, JSON, body, errors.headers(error))

    def _answer(
        self, status: int, content_type: str, body: bytes, extra: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header(correlation.ANSWERED_IN, self.request_id)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("worker_http_request", message=format % args)
