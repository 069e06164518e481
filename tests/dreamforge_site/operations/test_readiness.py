"""`/readyz` names what is not ready, quickly, without secrets, and leaves nothing behind."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import storages
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings

from dreamforge_site.operations import readiness
from dreamforge_site.operations.readiness import Inspector, NotReadyError
from tests.dreamforge_site.operations.lines import caught
from tests.services.s3 import S3Server

URLS = "tests.dreamforge_site.operations.urls"
PARTS = {"database", "broker", "artifact_storage", "models_root"}


@pytest.fixture
def client() -> Iterator[Client]:
    with override_settings(ROOT_URLCONF=URLS):
        yield Client()


def with_parts(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    monkeypatch.setattr(readiness, "report", Inspector(parts).report)


def with_environment(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", settings.ENVIRONMENT.model_copy(update=changes))


def fail(error: Exception) -> str:
    raise error


def well() -> str:
    return "well"


@pytest.mark.django_db(transaction=True)
def test_a_sound_service_is_ready_and_says_what_it_asked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_environment(monkeypatch, min_free_bytes=0)
    parts = {name: getattr(readiness, name) for name in PARTS}
    with_parts(monkeypatch, **parts)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "ready"
    assert {name for name, check in told["checks"].items() if check["ok"] is True} == PARTS
    assert answer["Cache-Control"] == "no-store"


def test_a_failing_part_is_named_in_the_envelope(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_parts(monkeypatch, good=well, bad=lambda: fail(NotReadyError("Out of order.")))
    answer = client.get("/readyz", headers={"X-Request-Id": "probe-1"})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (503, "infra_unavailable")
    assert told["message"] == "Not ready: bad."
    assert told["correlation_id"] == "probe-1"
    assert told["details"]["checks"]["bad"]["detail"] == "Out of order."
    assert told["details"]["checks"]["good"]["ok"] is True
    assert int(answer["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/canary"), "No space left on device."),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused."),
        (RuntimeError("password=canary host=canary"), "Does not answer (RuntimeError)."),
    ],
)  # fmt: skip
def test_a_parts_own_words_are_not_shown(
    error: Exception, detail: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_parts(monkeypatch, part=lambda: fail(error))
    answer = client.get("/readyz")
    assert answer.json()["details"]["checks"]["part"]["detail"] == detail
    assert b"canary" not in answer.content


def test_a_part_that_hangs_is_told_in_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(readiness, "CHECK_LIMIT_S", 0.2)
    with_parts(monkeypatch, hangs=let_go.wait, good=well)
    try:
        answer = client.get("/readyz")
    finally:
        let_go.set()
    assert answer.status_code == 503
    assert answer.json()["details"]["checks"]["hangs"]["detail"] == "No answer within 0.2 s."


def test_probes_in_one_moment_share_one_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def count() -> str:
        asked.append(1)
        return "well"

    monkeypatch.setattr(readiness, "KEPT_S", 3600)
    with_parts(monkeypatch, part=count)
    statuses = [client.get("/readyz").status_code for _ in range(3)]
    assert (statuses, len(asked)) == ([200] * 3, 1)


def test_a_change_is_told_once_however_often_probes_ask(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = SimpleNamespace(broken=True)

    def part() -> str:
        return fail(NotReadyError("Broken.")) if state.broken else "well"

    monkeypatch.setattr(readiness, "KEPT_S", -1)
    with_parts(monkeypatch, part=part)
    with caught() as lines:
        client.get("/readyz")
        client.get("/readyz")
        state.broken = False
        client.get("/readyz")
    told = [line["event"] for line in lines.parsed if line["logger"].endswith("readiness")]
    assert told == ["part_not_ready", "part_ready_again"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_probes_can_only_be_read(path: str, method: str, client: Client) -> None:
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer.json()["code"] == "method_not_allowed"


def test_healthz_asks_nothing(client: Client) -> None:
    # No database mark: pytest-django would refuse a query.
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.head("/healthz").status_code == 200


# The parts themselves


@pytest.mark.django_db(transaction=True)
def test_a_pending_migration_is_named() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("sessions", "0001_initial")
    try:
        with pytest.raises(NotReadyError, match=r"1 pending migrations \(sessions\.0001_initial\)"):
            readiness.database()
    finally:
        recorder.record_applied("sessions", "0001_initial")


def test_the_storage_probe_writes_and_leaves_nothing() -> None:
    storage = storages["default"]
    readiness.artifact_storage()
    assert [name for name in storage.listdir("")[1] if "readiness" in name] == []


def test_a_crashed_storage_probe_is_no_obstacle(tmp_path: Path) -> None:
    storage = storages.create_storage(
        {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        }
    )
    readiness.round_trip(storage)
    left = tmp_path / readiness.probe_name()
    left.write_bytes(b"from before")
    assert readiness.round_trip(storage) == "writable"
    assert list(tmp_path.iterdir()) == []


def test_too_little_space_for_models_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_environment(monkeypatch, models_root=tmp_path, min_free_bytes=2**62)
    with pytest.raises(NotReadyError, match="fewer than DF_MIN_FREE_BYTES"):
        readiness.models_root()
    assert list(tmp_path.iterdir()) == []


def test_a_models_root_that_cannot_be_written_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    with_environment(monkeypatch, models_root=file / "models")
    with pytest.raises(NotADirectoryError):
        readiness.models_root()


def test_a_bucket_is_asked_and_a_missing_one_told_without_its_keys(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def artifacts(bucket: str) -> str:
        found = s3_server.settings("artifacts")
        options = {
            "bucket_name": bucket,
            "endpoint_url": found["DF_S3_ENDPOINT"],
            "region_name": "us-east-1",
            "access_key": found["DF_S3_ACCESS_KEY"],
            "secret_key": found["DF_S3_SECRET_KEY"],
            "addressing_style": "path",
        }
        monkeypatch.setitem(settings.STORAGES, "default", {"OPTIONS": options})
        return readiness.artifact_storage()

    readiness.s3_client.cache_clear()
    try:
        assert artifacts("artifacts") == "bucket answers"
        report = Inspector({"artifact_storage": lambda: artifacts("missing")}).report()
    finally:
        readiness.s3_client.cache_clear()
    assert report.checks["artifact_storage"].detail == "Does not answer (ClientError)."
