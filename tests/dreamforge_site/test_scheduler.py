"""The scheduler's memory, and the scheduler as a process."""

from __future__ import annotations

import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dreamforge_site.celery import app
from dreamforge_site.environment import BASE_DIR
from dreamforge_site.processes import scheduler
from dreamforge_site.processes.scheduler import RememberingScheduler
from tests.dreamforge_site.supervisor.conftest import service_environment
from tests.dreamforge_site.supervisor.supervised import Supervised

pytestmark = pytest.mark.pure

MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def test_what_is_remembered_is_recalled(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    scheduler.remember(path, {"housekeeping": MOMENT})
    assert scheduler.recall(path) == {"housekeeping": MOMENT}
    assert [entry.name for entry in tmp_path.iterdir()] == ["schedule.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": "soon"}', b"\xff\x00"])
def test_a_file_without_sense_counts_as_none_and_is_replaced(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "schedule.json"
    path.write_bytes(content)
    assert scheduler.recall(path) == {}
    RememberingScheduler(app, schedule_filename=str(path))
    assert "housekeeping" in json.loads(path.read_text())


def test_an_entry_that_was_due_while_nothing_ran_is_due_at_once(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    scheduler.remember(path, {"housekeeping": datetime.now(UTC) - timedelta(hours=2)})
    restored = RememberingScheduler(app, schedule_filename=str(path))
    assert restored.schedule["housekeeping"].is_due()[0]


def test_a_restart_does_not_begin_the_hour_anew(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    ran_at = datetime.now(UTC) - timedelta(minutes=50)
    scheduler.remember(path, {"housekeeping": ran_at})
    restored = RememberingScheduler(app, schedule_filename=str(path))
    assert restored.schedule["housekeeping"].last_run_at == ran_at
    assert not restored.schedule["housekeeping"].is_due()[0]


def test_a_forgotten_entry_of_an_older_version_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    scheduler.remember(path, {"gone": MOMENT})
    assert "gone" not in RememberingScheduler(app, schedule_filename=str(path)).schedule


@pytest.mark.live
def test_the_process_sends_what_is_due_and_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    scheduler.remember(path, {"housekeeping": datetime.now(UTC) - timedelta(hours=2)})
    command = [sys.executable, "manage.py", "scheduler"]
    environment = service_environment(tmp_path)
    first = Supervised(command, environment, BASE_DIR)
    try:
        first.wait_for("Sending due task housekeeping")
        first.signal(signal.SIGKILL)
    finally:
        first.destroy()
    second = Supervised(command, environment, BASE_DIR)
    try:
        second.wait_for("scheduler_started")
        second.signal(signal.SIGTERM)
        assert second.exit_status() == 0
    finally:
        second.destroy()
    assert "housekeeping" in json.loads(path.read_text())
