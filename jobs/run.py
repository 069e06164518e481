"""What an executor is given: its parameters, a voice, and the signs that it should stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from jobs import artifacts, events, metrics
from jobs.artifacts import Drawn
from jobs.errors import CancelRequested, DeadlinePassed, LeaseLost, Stopped
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
        self._item_began_at = time.monotonic()
        self.reason: type[Stopped] | None = None
        self.kind = kind
        # Its worker died under it before: it may be the one that killed it.
        self.suspect = job.error_code == "worker_lost"
        self.asked_at = math.inf  # when it was first asked to stop
        self.closed_at = math.inf  # when its end was written in its stead
        self._progress = Progress(kind.stages, kind.item_count(job.params))
        self._notes: list[Note] = []
        self._changes: dict[str, Any] = {}
        self._flushed_at = time.monotonic()
        self._step: Step | None = None

    # Signs to stop

    def stop_with(self, reason: type[Stopped]) -> None:
        """From another thread: end this attempt at its next check. The first reason stands."""
        if self.reason is None:
            self.reason = reason
            self.asked_at = time.monotonic()
            self.stopping.set()

    def check(self) -> None:
        """Raise what ends this attempt, if anything does. Call it between pieces of work, at least
        every two seconds: who does not listen is ended from outside."""
        self._flush_if_due(urgent=False)
        if time.monotonic() > self.deadline:
            self.stop_with(DeadlinePassed)
        if self.reason is not None:
            raise self.reason

    def pulse(self) -> bool:
        """For who ends its work in order rather than by an exception: write what is due, and
        whether it is time to stop."""
        self._flush_if_due(urgent=False)
        if time.monotonic() > self.deadline:
            self.stop_with(DeadlinePassed)
        return self.reason is not None

    def wait(self, seconds: float) -> None:
        """Sleep, but wake up at once to stop."""
        until = time.monotonic() + seconds
        self.check()
        while (left := min(until, self.deadline) - time.monotonic()) > 0:
            self.stopping.wait(min(left, FLUSH_EVERY_S) if self._notes else left)
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
        self._say(Note(code, message, level, payload, step_id, item_index), level == "error")

    def progress(self, item_index: int, stage: str, fraction: float, **facts: Any) -> None:
        """How far an item is; `facts` (bytes, a rate) go with the event and are news too."""
        if not self._progress.advance(item_index, stage, fraction) and not facts:
            return
        payload: dict[str, Any] = {
            **facts,
            "progress": round(self._progress.of_item(item_index), 4),
            "overall": round(self._progress.overall(), 4),
            "stage": stage,
        }
        self._changes["progress"] = self._progress.overall()
        if self._progress.of_item(item_index) >= 1.0:
            self._time_item()
        self._changes["progress_state"] = self._progress.as_state()
        step_id = self._step.id if self._step else None
        self._say(Note("progress", "", "info", payload, step_id, item_index), urgent=False)

    def _time_item(self) -> None:
        now = time.monotonic()
        metrics.item_finished(self.kind.name, now - self._item_began_at)
        self._item_began_at = now

    def finish_item(self, item_index: int) -> None:
        """An attempt before has made this item: nobody draws it again."""
        self._progress.finish_item(item_index)
        self._changes["progress"] = self._progress.overall()
        self._changes["progress_state"] = self._progress.as_state()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        step = persist(lambda: Step.objects.get(job_id=self.job_id, name=name))
        self._step = step
        self._mark_step(step, State.RUNNING, "step.start")
        yield step
        self._mark_step(step, State.SUCCEEDED, "step.finish")
        self._step = None

    def artifact(self, item_index: int, drawn: Drawn) -> None:
        """What this step made of an item; it replaces what an attempt before made of it."""
        if self._step is None:
            raise RuntimeError("an artifact belongs to a step: call this within `run.step`")
        self.flush()
        step_id = self._step.id
        self._need_lease(persist(lambda: artifacts.record(self.lease, step_id, item_index, drawn)))

    def finished_items(self, step: Step) -> set[int]:
        """The items that an attempt before has made; go on with the others."""
        return persist(lambda: artifacts.finished_items(step.id))

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
        self._need_lease(written)

    def close(self) -> None:
        """The work is done: write the rest. A cancel still counts; a shutdown or a deadline that
        came this late would only throw finished work away."""
        self.flush()
        if self.reason is CancelRequested:
            raise CancelRequested

    def _need_lease(self, held: bool) -> None:
        if not held:
            self.stop_with(LeaseLost)
            raise LeaseLost

    def _say(self, note: Note, urgent: bool) -> None:
        if self._replaces_last(note):
            self._notes.pop()
        self._notes.append(note)
        self._flush_if_due(urgent=urgent)

    def _replaces_last(self, note: Note) -> bool:
        """Of one item's progress between two flushes only the last is worth a line."""
        if note.code != "progress" or not self._notes:
            return False
        last = self._notes[-1]
        return (last.code, last.item_index) == (note.code, note.item_index)

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
