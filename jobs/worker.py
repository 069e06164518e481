"""A worker process: slots that run jobs, beats for what runs, and the sweep for what was lost.

Each slot is a thread that takes jobs until none waits, then sleeps until the bell rings. Celery's
messages ring it, and so does the process itself when its look at the queue, every second and a
half, finds work: a broker that is down or loses messages costs a job a moment. However many slots
there are, an idle process asks the database one question a look.

No thread here ends before the process does: whatever one turn raises is logged, and the next comes.
"""

from __future__ import annotations

import faulthandler
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string

from jobs import claims, execution, kinds, leases
from jobs.custody import Custody
from jobs.errors import Interrupted
from jobs.lifecycle import Lease
from jobs.models import Worker
from jobs.run import Run
from jobs.webhooks import sender

log = structlog.get_logger(__name__)

Warmth = Callable[[str], Collection[uuid.UUID]]
DeviceFacts = Callable[[Collection[str]], dict[str, dict[str, Any]]]

LOOK_EVERY_S = 1.5
WATCH_EVERY_S = 1.0
KEEP_TIME_EVERY_S = 0.25
LISTEN_S = 1.0  # what a run gets to end by itself once the grace of a shutdown is over
FROZEN_AFTER_S = 60.0
BEATS_A_LEASE = 4
SILENT_BEATS = 3  # of a driver, before what it told is forgotten
POLL_S = 0.05


class Bells:
    """Wakes every sleeping slot; a ring that comes while a slot looks is not missed."""

    def __init__(self) -> None:
        self._rung = 0
        self._changed = threading.Condition()

    @property
    def rung(self) -> int:
        with self._changed:
            return self._rung

    def ring(self) -> None:
        with self._changed:
            self._rung += 1
            self._changed.notify_all()

    def wait(self, heard: int) -> None:
        """Until the bell has rung more often than `heard` times."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung > heard)


class WorkerProcess:
    def __init__(
        self,
        queue: str,
        devices: list[str],
        version: str = "",
        retire: Callable[[], None] | None = None,
    ) -> None:
        self.queue = queue
        self.holder = leases.new_holder(queue)
        self.version = version
        self.stopping = threading.Event()  # take nothing new
        self._retiring = threading.Event()  # a slot is lost: make room for a fresh process
        self._over = threading.Event()  # nothing runs any more
        self.custody = Custody(self.holder)
        self._retire = retire
        self._devices = devices
        self._bells = Bells()
        self._claiming = threading.Lock()
        self._lapses = leases.Watch()
        warmth = settings.JOB_WARMTH.get(queue)
        self._warm: Warmth | None = import_string(warmth) if warmth else None
        facts = settings.JOB_DEVICES.get(queue)
        self._look_at: DeviceFacts | None = import_string(facts) if facts else None
        self._device_facts: dict[str, dict[str, Any]] = {}
        self._devices_seen_at = 0.0  # by the monotonic clock

    def start(self) -> None:
        for device in self._devices:
            self._thread(f"slot-{device}", self._slot, device)
        beat_every_s = settings.JOB_LEASE_S / BEATS_A_LEASE
        for every_s, task in (
            (LOOK_EVERY_S, self.look),
            (WATCH_EVERY_S, self.custody.watch),
            (KEEP_TIME_EVERY_S, self.keep_time),
            (beat_every_s, self.beat),
            (beat_every_s, self.register),
            (beat_every_s, self.look_at_devices),
            (settings.JOB_LEASE_S / 8, self.sweep),
            (FROZEN_AFTER_S / 6, self.show_life),
        ):
            self._thread(task.__name__, self._repeat, every_s, task)

    def wake(self) -> None:
        self._bells.ring()

    def stop(self, grace_s: float) -> None:
        """Take nothing new, let what runs finish for `grace_s`, then give it back. A process that
        retires is in a hurry: what is left of the deaf run must end."""
        self.stopping.set()
        self._bells.ring()
        if self._retiring.is_set() or not self._ends_within(grace_s):
            self.custody.ask_all(Interrupted)
        if not self._ends_within(LISTEN_S):
            for run in self.custody.unfinished():
                with self._carrying_on("close"):
                    self.custody.close(run)
        self._over.set()
        with self._carrying_on("leave"):
            Worker.objects.filter(id=self.holder).delete()
        faulthandler.cancel_dump_traceback_later()

    @property
    def idle(self) -> bool:
        return not self.custody.runs()

    # What its threads do

    def _slot(self, device: str) -> None:
        while not self.stopping.is_set():
            heard = self._bells.rung
            with self._carrying_on("slot"):
                self._drain(device)
            self._bells.wait(heard)

    def _drain(self, device: str) -> None:
        """Run jobs until none waits. Claims are taken one at a time: two slots would otherwise both
        think themselves the one that may run a suspect."""
        while not self.stopping.is_set():
            with self._claiming:
                lease = self._next_lease(device)
                run = execution.prepare(lease, device) if lease else None
                if run is not None:
                    self.custody.take(run)
            if lease is None:
                return
            if run is not None:
                self._execute(run)

    def _next_lease(self, device: str) -> Lease | None:
        types = kinds.names_for(self.queue)
        suspects = not self.custody.has_suspect()
        warm = self._warm(device) if self._warm else ()
        return claims.next_lease(self.queue, self.holder, types, warm, suspects=suspects)

    def _execute(self, run: Run) -> None:
        try:
            execution.execute(run)
        finally:
            self.custody.release(run)

    def look(self) -> None:
        """Ring when work waits and a slot has nothing to do."""
        if len(self.custody.runs()) < len(self._devices) and self._work_waits():
            self._bells.ring()

    def keep_time(self) -> None:
        self.custody.keep_time()
        if self.custody.is_stuck() and self._retire is not None and not self.stopping.is_set():
            log.error("worker_retires", reason="a run that ended long ago still holds its slot")
            self._retiring.set()
            self.stopping.set()
            self._retire()

    def beat(self) -> None:
        self.custody.beat()

    def register(self) -> None:
        """Show this process to others, and give back what it holds by mistake."""
        facts = {
            "queue": self.queue,
            "slots": len(self._devices),
            "devices": self._devices,
            "device_facts": self._current_facts(),
            "warm_models": self._warm_models(),
            "version": self.version,
            "stopping": self.stopping.is_set(),
            "seen_at": timezone.now(),
        }
        Worker.objects.update_or_create(
            id=self.holder,
            defaults={**facts, "beat": F("beat") + 1},
            create_defaults=facts,
        )
        self.custody.release_strays()

    def look_at_devices(self) -> None:
        """In a thread of its own: a driver that hangs must not keep this process out of sight."""
        if self._look_at is not None:
            self._device_facts = self._look_at(self._devices)
            self._devices_seen_at = time.monotonic()

    def _current_facts(self) -> dict[str, dict[str, Any]]:
        """None once the driver has been silent for some beats: what it told is not so any more."""
        silent_s = time.monotonic() - self._devices_seen_at
        is_current = silent_s < SILENT_BEATS * settings.JOB_LEASE_S / BEATS_A_LEASE
        return self._device_facts if is_current else {}

    def _warm_models(self) -> list[str]:
        if self._warm is None:
            return []
        return sorted({str(model) for device in self._devices for model in self._warm(device)})

    def sweep(self) -> None:
        for job_id, ending in leases.sweep(self._lapses).items():
            log.warning("lost_job_swept", job_id=job_id, ending=ending)

    def show_life(self) -> None:
        """Native code that never lets go of the interpreter stops every thread of ours, this one
        too; then the timer, which needs no interpreter, says where and ends the process."""
        if not self._over.is_set():
            faulthandler.dump_traceback_later(FROZEN_AFTER_S, exit=True)

    # How they do it

    def _work_waits(self) -> bool:
        types = kinds.names_for(self.queue)
        return claims.startable(self.queue, types).exists()

    def _ends_within(self, seconds: float) -> bool:
        """Whether every run has ended by then, or been ended in its stead."""
        give_up_at = time.monotonic() + seconds
        while (runs := self.custody.unfinished()) and time.monotonic() < give_up_at:
            time.sleep(POLL_S)
        return not runs

    def _repeat(self, every_s: float, task: Callable[[], None]) -> None:
        while not self._over.is_set():
            with self._carrying_on(task.__name__):
                task()
            self._over.wait(every_s)

    @contextmanager
    def _carrying_on(self, task: str) -> Iterator[None]:
        """The outermost border of these threads: what failed is done again next time."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            log.warning("database_away", task=task, reason=str(error).strip())
            connection.close()
        except Exception:
            log.exception("worker_task_failed", task=task)
        finally:
            close_old_connections()

    def _thread(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=target, args=arguments, name=name, daemon=True).start()


_of_this_process: WorkerProcess | None = None


def begin(
    queue: str,
    devices: list[str],
    version: str = "",
    retire: Callable[[], None] | None = None,
) -> WorkerProcess:
    """Make this process a worker; Celery's messages wake it from now on. `retire` is called once a
    slot is lost for good, and should end the process in order."""
    global _of_this_process  # noqa: PLW0603  a process is one worker, as it is one process
    _of_this_process = WorkerProcess(queue, devices, version, retire)
    _of_this_process.start()
    if queue == sender.QUEUE:
        sender.Sender(_of_this_process.stopping).start()
    return _of_this_process


def wake_this_process() -> None:
    if _of_this_process is not None:
        _of_this_process.wake()
