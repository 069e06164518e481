"""Can this service do its work now? Each part it stands on is asked, and one that hangs is told.

Details are our own sentences: a driver's words name hosts, users and addresses, and go to the log.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from dreamforge_site.operations.bounded import Outcome, Panel

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

CHECK_LIMIT_S = 2.0
KEPT_S = 1.0
S3_TIMEOUT_S = 1
NAMES_SHOWN = 3


class NotReadyError(Exception):
    """Why a part is not ready, in words that may be shown to anybody."""


@dataclass(frozen=True)
class Check:
    ok: bool
    duration_ms: float
    detail: str | None = None

    def as_json(self) -> dict[str, Any]:
        shown = {"ok": self.ok, "duration_ms": self.duration_ms}
        return shown if self.detail is None else {**shown, "detail": self.detail}


@dataclass(frozen=True)
class Report:
    checks: Mapping[str, Check]

    @property
    def failing(self) -> list[str]:
        return [name for name, check in self.checks.items() if not check.ok]

    @property
    def ready(self) -> bool:
        return not self.failing


class Inspector:
    """Asks the parts; what was found is kept for a moment, so that probes cannot hammer them."""

    def __init__(self, parts: Mapping[str, Callable[[], str]]) -> None:
        self._parts = parts
        self._panel: Panel[str] = Panel(CHECK_LIMIT_S)
        self._lock = threading.Lock()
        self._kept = Report({})
        self._asked_at = float("-inf")

    def report(self) -> Report:
        with self._lock:
            if time.monotonic() - self._asked_at > KEPT_S:
                before, self._kept = self._kept, self._ask()
                self._asked_at = time.monotonic()
                _tell_change(before, self._kept)
            return self._kept

    def _ask(self) -> Report:
        outcomes = self._panel.ask(self._parts)
        return Report({name: _check(name, outcome) for name, outcome in outcomes.items()})


def closing_connection(check: Callable[P, R]) -> Callable[P, R]:
    """Give the thread's database connection back: the thread ends after its one question."""

    @functools.wraps(check)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return check(*args, **kwargs)
        finally:
            connection.close()

    return run


@closing_connection
def database() -> str:
    applied = MigrationRecorder(connection).applied_migrations()
    pending = sorted(_migrations_on_disk() - applied.keys())
    if pending:
        names = ", ".join(".".join(name) for name in pending[:NAMES_SHOWN])
        raise NotReadyError(f"{len(pending)} pending migrations ({names}): run manage.py migrate.")
    return "answers, and is migrated"


@functools.cache
def _migrations_on_disk() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def broker() -> str:
    from dreamforge_site.celery import app

    folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("folder")
    if folder is not None:
        _write_into(Path(folder))
        return "writable"
    with app.connection_for_write() as link:
        link.connect()
    return "answers"


def artifact_storage() -> str:
    options = settings.STORAGES["default"].get("OPTIONS", {})
    if "bucket_name" in options:
        s3_client().head_bucket(Bucket=options["bucket_name"])
        return "bucket answers"
    return round_trip(storages["default"])


def round_trip(storage: Storage) -> str:
    """Write, read and delete one small object, of one name a process: a crash leaves one."""
    name, sent = probe_name(), b"ready?"
    storage.delete(name)
    try:
        with storage.open(storage.save(name, ContentFile(sent))) as file:
            read = file.read()
    finally:
        storage.delete(name)
    if read != sent:
        raise NotReadyError("An object read back is not the object written.")
    return "writable"


def probe_name() -> str:
    return f".readiness-{socket.gethostname()}-{os.getpid()}"


@functools.cache
def s3_client() -> Any:
    import boto3
    from botocore.config import Config

    options = settings.STORAGES["default"]["OPTIONS"]
    return boto3.client(
        "s3",
        endpoint_url=options["endpoint_url"],
        region_name=options["region_name"],
        aws_access_key_id=options["access_key"],
        aws_secret_access_key=options["secret_key"],
        config=Config(
            connect_timeout=S3_TIMEOUT_S,
            read_timeout=S3_TIMEOUT_S,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": options["addressing_style"]},
        ),
    )


def models_root() -> str:
    folder, wanted = settings.ENVIRONMENT.models_dir, settings.ENVIRONMENT.min_free_bytes
    _write_into(folder)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise NotReadyError(f"{free} bytes are free, fewer than DF_MIN_FREE_BYTES ({wanted}).")
    return "writable"


def _write_into(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe:  # has no name: a crash leaves nothing
        probe.write(b"ready?")


def _check(name: str, outcome: Outcome[str]) -> Check:
    took_ms = round(outcome.duration_s * 1000, 1)
    if outcome.timed_out:
        return Check(False, took_ms, f"No answer within {CHECK_LIMIT_S:g} s.")
    if outcome.error is not None:
        log.debug("readiness_check_failed", check=name, exc_info=outcome.error)
        return Check(False, took_ms, _told(outcome.error))
    return Check(True, took_ms)


def _told(error: Exception) -> str:
    if isinstance(error, NotReadyError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    return f"Does not answer ({type(error).__name__})."


def _tell_change(before: Report, now: Report) -> None:
    """One line when a part fails or comes back, however often probes ask."""
    for name, check in now.checks.items():
        known = before.checks.get(name)
        if not check.ok and (known is None or known.ok):
            log.warning("part_not_ready", check=name, detail=check.detail)
        if check.ok and known is not None and not known.ok:
            log.info("part_ready_again", check=name)


report = Inspector(
    {
        "database": database,
        "broker": broker,
        "artifact_storage": artifact_storage,
        "models_root": models_root,
    }
).report
