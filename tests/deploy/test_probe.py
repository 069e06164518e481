"""The health check of the containers, against a real server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dreamforge_site.environment import BASE_DIR
from tests.services.process import free_port

pytestmark = pytest.mark.pure

PROBE = BASE_DIR / "deploy" / "probe.py"


class Answers(BaseHTTPRequestHandler):
    """`/503` and `/204` answer that; any other path 200 to the one host it knows, else 400."""

    def do_GET(self) -> None:
        known = self.headers["Host"] == "forge.example.org"
        asked = self.path.removeprefix("/")
        status = int(asked) if asked.isdecimal() else 200 if known else 400
        self.send_response(status)
        self.end_headers()
        if status != HTTPStatus.NO_CONTENT:
            self.wfile.write(b"broker down")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the test prints what matters."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def probe(url: str, hosts: str = "forge.example.org,www.example.org") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, PROBE, url],
        env={"DF_ALLOWED_HOSTS": hosts},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_200_is_healthy(server: str) -> None:
    assert probe(f"{server}/readyz") == (0, "")


def test_503_is_not_and_the_reason_is_shown(server: str) -> None:
    status, said = probe(f"{server}/503")
    assert status == 1
    assert "answered 503: broker down" in said


def test_an_answer_that_is_not_200_is_not_healthy(server: str) -> None:
    assert probe(f"{server}/204")[0] == 1


def test_nobody_listening_is_not_healthy() -> None:
    status, said = probe(f"http://127.0.0.1:{free_port()}/healthz")
    assert status == 1
    assert "did not answer" in said


def test_it_calls_the_service_by_a_name_it_answers_to(server: str) -> None:
    assert probe(f"{server}/readyz", hosts="*")[0] == 1
    assert probe(f"{server}/readyz", hosts=".forge.example.org")[0] == 0
