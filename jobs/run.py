"""What an executor is given: its parameters, a voice, and the signs that it should stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from jobs import events
from jobs.errors import DeadlinePassed, LeaseLost, Stopped
from jobs.events import Note
from jobs.kinds import Kind
from jobs.lifecycle import Lease
from jobs.models import Job, Step
from jobs.patience import persist
from jobs.progress import Progress
from jobs.states import State

FLUSH_EVERY_S = 0.25
FLUSH_AT_NOTES = 50


class Run:
    """One attempt at one job. Only its own thread calls it, except for `stop_with`."""

    def __init__(
        self, job: Job, kind: Kind, lease: Lease, timeout_s: float, device: str = ""
    ) -> None:
        self.job_id = job.id
        self.owner_id = job.owner_id
        self.params: dict[str, Any] = job.params
        self.attempt = job.attempts
        self.request_id = job.request_id
        self.lease = lease
        self.device = device
        self.deadline = time.monotonic() + timeout_s
        self.stopping = threading.Event()
        self._reason: type[Stopped] | None = None
        self.kind = kind
        self._progress = Progress(kind.stages, kind.item_count(job.params))
        self._notes: list[Note] = []
        self._changes: dict[str, Any] = {}
        self._flushed_at = time.monotonic()
        self._step: Step | None = None

    # Signs to stop

    def stop_with(self, reason: type[Stopped]) -> None:
        """From another thread: end this attempt at its next check. The first reason stands."""
        if self._reason is None:
            self._reason = reason
            self.stopping.set()

    def check(self) -> None:
        """Raise what ends this attempt, if anything does. Call it between pieces of work."""
        if self._reason is not None:
            raise self._reason
        if time.monotonic() > self.deadline:
            raise DeadlinePassed

    def wait(self, seconds: float) -> None:
        """Sleep, but wake up at once to stop."""
        self.stopping.wait(min(seconds, max(0.0, self.deadline - time.monotonic())))
        self.check()

    # The voice

    def log(
        self,
        code: str,
        message: str = "",
        *,
        level: str = "info",
        item_index: int | None = None,
        **payload: Any,
    ) -> None:
        step_id = self._step.id if self._step else None
        self._notes.append(Note(code, message, level, payload, step_id, item_index))
        self._flush_if_due(urgent=level == "error" or code == "artifact.written")

    def progress(self, item_index: int, stage: str, fraction: float) -> None:
        if not self._progress.advance(item_index, stage, fraction):
            return
        payload: dict[str, Any] = {
            "progress": round(self._progress.of_item(item_index), 4),
            "overall": round(self._progress.overall(), 4),
            "stage": stage,
        }
        self._changes["progress"] = self._progress.overall()
        self._changes["progress_state"] = self._progress.as_state()
        self.log("progress", item_index=item_index, **payload)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        step = persist(lambda: Step.objects.get(job_id=self.job_id, name=name))
        self._step = step
        self._mark_step(step, State.RUNNING, "step.start")
        yield
        self._mark_step(step, State.SUCCEEDED, "step.finish")
        self._step = None

    def flush(self) -> None:
        """Write what was said. LeaseLost: nothing was written, and nothing more will be."""
        notes, changes = self._notes, self._changes
        self._notes, self._changes = [], {}
        self._flushed_at = time.monotonic()
        if not notes and not changes:
            return
        written = persist(
            lambda: events.append_as_holder(self.job_id, self.lease.claim, notes, **changes)
        )
        if not written:
            self.stop_with(LeaseLost)
            raise LeaseLost

    def _flush_if_due(self, *, urgent: bool) -> None:
        late = time.monotonic() - self._flushed_at >= FLUSH_EVERY_S
        if urgent or late or len(self._notes) >= FLUSH_AT_NOTES:
            self.flush()

    def _mark_step(self, step: Step, status: State, code: str) -> None:
        self.log(code, step.name)
        self.flush()
        now = timezone.now()
        stamp = {"started_at": now} if status is State.RUNNING else {"finished_at": now}
        holders_steps = Step.objects.filter(
            id=step.id, job__claim=self.lease.claim, job__status=State.RUNNING
        )
        persist(lambda: holders_steps.update(status=status, **stamp))
