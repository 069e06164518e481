"""The scheduler process: Celery beat, remembering in one JSON file when each entry last ran.

Celery's own memory is a pickle in whatever dbm the Python was built with. Ours is replaced whole
by a rename, so `kill -9` leaves the old or the new one; an unreadable file is replaced.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from celery.beat import Scheduler, Service

from dreamforge_site.celery import app
from dreamforge_site.operations import tracing, worker_http

log = structlog.get_logger(__name__)


class RememberingScheduler(Scheduler):
    """The static schedule of the settings, with the last runs kept in `schedule_filename`."""

    def __init__(self, *args: Any, schedule_filename: str, **kwargs: Any) -> None:
        self.path = Path(schedule_filename)
        kwargs["sync_every_tasks"] = 1
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.schedule)
        for name, moment in recall(self.path).items():
            if name in self.schedule:
                self.schedule[name].last_run_at = moment
        self.sync()

    def sync(self) -> None:
        try:
            remember(self.path, self._last_runs())
        except OSError as error:
            log.warning("schedule_not_saved", path=str(self.path), reason=error.strerror)

    def _last_runs(self) -> dict[str, datetime]:
        entries = self.schedule.items()
        return {name: entry.last_run_at for name, entry in entries if entry.last_run_at}

    @property
    def info(self) -> str:
        return f"    . file -> {self.path}"


def recall(path: Path) -> dict[str, datetime]:
    """When each entry last ran; nothing where there is no file or no sense in it."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): _aware(datetime.fromisoformat(text)) for name, text in known.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("schedule_file_replaced", path=str(path), reason=str(error))
        return {}


def remember(path: Path, runs: dict[str, datetime]) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    content = json.dumps({name: moment.isoformat() for name, moment in runs.items()}, indent=1)
    with draft.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def run(data_dir: Path) -> None:
    """Ring the schedule's bells until told to stop; an absent broker is waited for."""
    tracing.start("scheduler")
    worker_http.start_if_configured()
    app.loader.init_worker()
    app.finalize()
    service = Service(
        app=app,
        scheduler_cls=RememberingScheduler,
        schedule_filename=str(data_dir / "schedule.json"),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    log.info("scheduler_started", entries=sorted(service.scheduler.schedule))
    service.start()


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
