"""`manage.py dreamforge` as its user meets it: started, hurt, stopped."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from dreamforge_site.environment import read
from dreamforge_site.processes.listening import listen
from dreamforge_site.supervisor import descendants, service
from dreamforge_site.supervisor.lines import Style
from tests.dreamforge_site.supervisor.conftest import ServiceStarter, service_environment
from tests.dreamforge_site.supervisor.supervised import Supervised, wait_until

pytestmark = [pytest.mark.pure, pytest.mark.live]

SECRET_KEY = "a secret key for tests that have no place to keep one of their own"
CHILDREN = ("web", "worker-io", "worker-gpu", "scheduler")


@dataclass
class Running:
    service: Supervised
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['DF_PORT']}"

    def status_of(self, path: str) -> int:
        connection = http.client.HTTPConnection(
            "127.0.0.1", int(self.environment["DF_PORT"]), timeout=30
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def pid_of(self, child: str, after: int = 0) -> int:
        return int(
            json.loads(self.service.wait_for("child_started", f'"{child}"', after=after))["pid"]
        )


@pytest.fixture(scope="module")
def running(start_service: ServiceStarter, tmp_path_factory: pytest.TempPathFactory) -> Running:
    environment = service_environment(tmp_path_factory.mktemp("data"))
    running = Running(start_service(environment), environment)
    running.service.wait_for("Dream Forge is ready at", running.url)
    return running


def test_a_first_start_becomes_ready_and_says_how_to_sign_in(running: Running) -> None:
    assert running.status_of("/readyz") == http.client.OK
    assert running.service.wait_for("Admin", f"{running.url}/admin/")
    shown = running.service.wait_for("Sign in")
    assert re.search(r"admin  password \S{12,}  \(shown only this once\)", shown)


def test_log_lines_are_json_and_hold_no_control_characters(running: Running) -> None:
    lines = [line for line in running.service.lines if line.startswith("{")]
    assert {"ts", "level", "event"} <= set.intersection(*(set(json.loads(line)) for line in lines))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", running.service.text.replace("\n", ""))


@pytest.mark.parametrize("child", CHILDREN)
def test_a_killed_child_is_back(running: Running, child: str) -> None:
    seen = len(running.service.lines)
    first = running.pid_of(child, after=_last_start(running.service, child))
    os.kill(first, signal.SIGKILL)
    assert "SIGKILL" in running.service.wait_for("child_died", f'"{child}"', after=seen)
    assert running.pid_of(child, after=seen) != first
    assert running.status_of("/healthz") == http.client.OK


def test_a_call_that_comes_while_the_web_process_restarts_is_answered(running: Running) -> None:
    os.kill(running.pid_of("web", after=_last_start(running.service, "web")), signal.SIGKILL)
    assert running.status_of("/healthz") == http.client.OK


def test_a_second_start_is_refused_and_names_the_first(
    running: Running, start_service: ServiceStarter
) -> None:
    second = start_service(running.environment)
    assert second.exit_status() == 1
    [line] = [line for line in second.lines if line.startswith("CommandError")]
    assert f"process {running.service.process.pid}, {running.url}" in line
    assert running.status_of("/healthz") == http.client.OK


def test_a_port_in_use_is_told_in_one_line(start_service: ServiceStarter, tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        service = start_service(service_environment(tmp_path, DF_PORT=port))
        assert service.exit_status() == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in service.wait_for("CommandError")
    assert "Traceback" not in service.text


def test_a_data_directory_that_cannot_be_made_is_told_in_one_line(
    start_service: ServiceStarter, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    data_dir = tmp_path / "file" / "data"
    service = start_service(service_environment(data_dir, DF_SECRET_KEY=SECRET_KEY))
    assert service.exit_status() == 1
    assert service.wait_for(f"DF_DATA_DIR: cannot make {data_dir}: Not a directory")
    assert "Traceback" not in service.text


def test_a_disk_that_takes_no_byte_is_told_in_one_line(
    start_service: ServiceStarter, tmp_path: Path
) -> None:
    environment = service_environment(tmp_path, DF_SECRET_KEY=SECRET_KEY)
    service = start_service(environment, prefix=["sh", "-c", 'ulimit -f 0; exec "$@"', "sh"])
    assert service.exit_status() == 1
    assert f"Cannot write to {tmp_path}" in service.wait_for("CommandError")
    assert "Traceback" not in service.text


def test_a_database_that_cannot_be_reached_is_told_in_one_line(
    start_service: ServiceStarter, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    url = f"sqlite:///{tmp_path / 'folder'}"
    service = start_service(service_environment(tmp_path, DF_DATABASE_URL=url))
    assert service.exit_status() == 1
    assert "Cannot prepare the database" in service.wait_for("CommandError")
    assert "Traceback" not in service.text


def test_control_c_leaves_no_process_and_an_open_stream_does_not_hold_it(
    running: Running,
) -> None:
    with socket.create_connection(("127.0.0.1", int(running.environment["DF_PORT"]))) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        running.service.interrupt_as_a_terminal_does()
        assert running.service.exit_status() == 130
    assert running.service.none_remain()


def test_a_later_start_shows_no_password_and_term_ends_it_with_0(
    running: Running, start_service: ServiceStarter
) -> None:
    again = start_service(running.environment)
    assert "changepassword admin" in again.wait_for("Sign in")
    again.signal(signal.SIGTERM)
    assert again.exit_status() == 0
    assert again.none_remain()


def test_a_killed_supervisor_takes_its_children_along(
    running: Running, start_service: ServiceStarter
) -> None:
    service = start_service(running.environment)
    service.wait_for("Dream Forge is ready")
    service.signal(signal.SIGKILL)
    wait_until(lambda: not service.remaining(), "the end of the children")
    assert service.exit_status() == -signal.SIGKILL


def test_what_an_earlier_run_left_behind_is_killed_at_the_next_start(
    running: Running, start_service: ServiceStarter
) -> None:
    marker = os.path.realpath(running.environment["DF_DATA_DIR"])
    with subprocess.Popen(["sleep", "600"], env={descendants.MARKER: marker}) as left_behind:
        service = start_service(running.environment)
        assert left_behind.wait() == -signal.SIGKILL
        service.wait_for("leftover_processes_killed", str(left_behind.pid))
        service.signal(signal.SIGTERM)
        assert service.exit_status() == 0


@pytest.mark.parametrize(
    ("hosts", "header"),
    [
        (".example.org", "example.org"),
        ("*,forge.example.org", "forge.example.org"),
        ("*", "localhost:8123"),
    ],
)
def test_the_service_asks_itself_by_a_name_it_answers_to(
    hosts: str, header: str, tmp_path: Path
) -> None:
    given = {"DF_ENV": "production", "DF_SECRET_KEY": SECRET_KEY, "DF_ALLOWED_HOSTS": hosts}
    assert service.own_name(read({**given, "DF_PORT": "8123"}, tmp_path)) == header


def test_no_child_is_handed_the_password_of_the_first_administrator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DF_ADMIN_PASSWORD", "canary password")
    monkeypatch.setenv("DF_PORT", "8123")
    handed = service.child_environment(read({}, tmp_path), Style(json=True, colour=False))
    assert handed["DF_PORT"] == "8123"
    assert [name for name, value in handed.items() if "canary" in value] == []


def test_in_development_it_asks_itself_as_localhost(tmp_path: Path) -> None:
    found = read({"DF_ALLOWED_HOSTS": "forge.example.org", "DF_PORT": "8123"}, tmp_path)
    assert service.own_name(found) == "localhost:8123"


def _last_start(service: Supervised, child: str) -> int:
    """The index of the line that tells of the child's latest start."""
    numbered = enumerate(service.lines)
    starts = [n for n, line in numbered if "child_started" in line and f'"{child}"' in line]
    return starts[-1]
