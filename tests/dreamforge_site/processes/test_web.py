"""`manage.py web` as a process: several server processes, proxies, an orderly end."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dreamforge_site.environment import BASE_DIR, read
from dreamforge_site.processes import web
from tests.dreamforge_site.supervisor.conftest import service_environment
from tests.dreamforge_site.supervisor.supervised import Supervised, children_of, wait_until

pytestmark = [pytest.mark.pure, pytest.mark.live]

WebStarter = Callable[..., tuple[Supervised, int]]


@pytest.fixture
def start_web(tmp_path: Path) -> Iterator[WebStarter]:
    started: list[Supervised] = []

    def start(**variables: str) -> tuple[Supervised, int]:
        environment = service_environment(tmp_path, **variables)
        server = Supervised([sys.executable, "manage.py", "web"], environment, BASE_DIR)
        started.append(server)
        port = int(environment["DF_PORT"])
        wait_until(lambda: alive(port), "an answer", lambda: server.text)
        return server, port

    yield start
    for server in started:
        server.destroy()


def alive(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def server_processes(master: Supervised) -> set[int]:
    """Those that serve, without multiprocessing's own resource tracker."""
    return {
        pid
        for pid in children_of(master.process.pid)
        if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }


def test_term_is_an_orderly_end_even_with_an_idle_connection(start_web: WebStarter) -> None:
    server, port = start_web()
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_control_c_is_a_quiet_end(start_web: WebStarter, processes: str) -> None:
    server, _ = start_web(DF_WEB_PROCESSES=processes)
    server.interrupt_as_a_terminal_does()
    assert server.exit_status() == 130
    assert server.none_remain()
    assert "Traceback" not in server.text
    assert "KeyboardInterrupt" not in server.text


def test_a_killed_server_process_of_several_is_replaced(start_web: WebStarter) -> None:
    server, port = start_web(DF_WEB_PROCESSES="2")
    before = wait_until(lambda: _two(server), "two processes")
    os.kill(min(before), signal.SIGKILL)
    after = wait_until(lambda: _two(server) - before and _two(server), "two processes again")
    assert len(after & before) == 1
    assert alive(port)
    server.signal(signal.SIGTERM)
    assert server.exit_status() == 0
    assert server.none_remain()


def test_server_processes_end_with_a_killed_master(start_web: WebStarter) -> None:
    server, _ = start_web(DF_WEB_PROCESSES="2")
    wait_until(lambda: _two(server), "two processes")
    server.signal(signal.SIGKILL)
    assert server.exit_status() == -signal.SIGKILL
    assert server.none_remain()


def test_the_server_does_not_name_itself(start_web: WebStarter) -> None:
    _, port = start_web()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().getheader("Server") is None
    connection.close()


def test_nobody_is_believed_to_be_a_proxy_unless_named(tmp_path: Path) -> None:
    assert not web.configuration(read({}, tmp_path)).proxy_headers
    named = web.configuration(read({"DF_TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.7"}, tmp_path))
    assert named.proxy_headers
    assert named.forwarded_allow_ips == ["10.0.0.0/8", "192.0.2.7"]


def _two(server: Supervised) -> set[int]:
    found = server_processes(server)
    return found if len(found) == 2 else set()
