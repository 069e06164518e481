"""What a worker answers over HTTP, and that a taken address stops nothing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from django.conf import settings
from django.test import override_settings

from dreamforge_site.operations import worker_http
from tests.dreamforge_site.operations.lines import caught

pytestmark = pytest.mark.pure


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with override_settings(METRIC_COLLECTORS=[]):
        started = worker_http.start("127.0.0.1:0")
        assert started is not None
        try:
            yield started
        finally:
            started.shutdown()
            started.server_close()


def ask(
    server: ThreadingHTTPServer, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_a_worker_says_that_it_is_alive(server: ThreadingHTTPServer) -> None:
    status, headers, body = ask(server, "GET", "/healthz", {"X-Request-Id": "probe"})
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert headers["X-Request-Id"] == "probe"
    assert headers["Server"] == "dreamforge "


def test_a_worker_shows_the_metrics(server: ThreadingHTTPServer) -> None:
    status, headers, body = ask(server, "GET", "/metrics")
    assert (status, headers["Content-Type"][:10]) == (200, "text/plain")
    assert b"dreamforge_collector_ok" in body


def test_head_has_the_headers_and_no_body(server: ThreadingHTTPServer) -> None:
    status, headers, body = ask(server, "HEAD", "/healthz")
    assert (status, headers["Content-Length"], body) == (200, "16", b"")


def test_other_paths_get_the_envelope(server: ThreadingHTTPServer) -> None:
    status, _, body = ask(server, "GET", "/admin/", {"X-Request-Id": "mine"})
    told = json.loads(body)
    assert (status, told["code"], told["correlation_id"]) == (404, "not_found", "mine")


def test_a_proxied_scrape_is_refused(server: ThreadingHTTPServer) -> None:
    status, _, body = ask(server, "GET", "/metrics", {"X-Forwarded-For": "10.0.0.5"})
    assert (status, json.loads(body)["code"]) == (403, "forbidden")


def test_a_taken_address_is_told_and_not_fatal(server: ThreadingHTTPServer) -> None:
    address = f"127.0.0.1:{server.server_address[1]}"
    with caught() as lines:
        assert worker_http.start(address) is None
    line = lines.of("worker_http_not_listening")
    assert line["address"] == address
    assert "in use" in line["reason"]


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "no.such.host.invalid:8000"])
def test_an_impossible_address_is_told_and_not_fatal(address: str) -> None:
    with caught() as lines:
        assert worker_http.start(address) is None
    assert lines.of("worker_http_not_listening")["address"] == address


def test_nothing_listens_unless_an_address_is_set() -> None:
    assert settings.ENVIRONMENT.worker_http is None
    assert worker_http.start_if_configured() is None
