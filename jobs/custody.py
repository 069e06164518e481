"""The runs of this process: who must be told to stop, and what happens to one that does not listen.

Nobody can stop a thread. A run is asked, and a good executor ends within moments. For one that does
not, its end is written in its stead after DEAF_AFTER_S: the fencing token then keeps it from ever
writing again, and the processes it had started are killed, which is what many a deaf executor waits
for. One that still sits in its slot after that makes the process retire: soon when it has used up
its time limit, later when it was canceled in the middle of something.
"""

from __future__ import annotations

import math
import threading
import time

import structlog

from jobs import execution, families, lifecycle
from jobs.errors import CancelRequested, DeadlinePassed, LeaseLost, Stopped
from jobs.lifecycle import Lease
from jobs.models import Job
from jobs.run import Run
from jobs.states import State

log = structlog.get_logger(__name__)

# With KEEP_TIME_EVERY_S and LISTEN_S of the worker: nothing of a run that is deaf is left five
# seconds after its limit.
DEAF_AFTER_S = 2.5
OVERDUE_AFTER_S = 0.5
STUCK_AFTER_S = 5.0


class Custody:
    def __init__(self, holder: str) -> None:
        self._holder = holder
        self._runs: dict[Run, int] = {}  # with the thread of each
        self._lock = threading.Lock()
        self._stray: set[Lease] = set()

    def take(self, run: Run) -> None:
        """Called by the thread that is going to run it."""
        with self._lock:
            self._runs[run] = threading.get_native_id()

    def release(self, run: Run) -> None:
        with self._lock:
            del self._runs[run]

    def runs(self) -> list[Run]:
        with self._lock:
            return list(self._runs)

    def unfinished(self) -> list[Run]:
        """The runs that still have to end: not those whose end was written in their stead."""
        return [run for run in self.runs() if run.closed_at == math.inf]

    def has_suspect(self) -> bool:
        return any(run.suspect for run in self.runs())

    def watch(self) -> None:
        """Ask those to stop whose job was canceled or whose lease is gone."""
        runs = self.runs()
        if not runs:
            return
        rows = Job.objects.filter(id__in=[run.job_id for run in runs]).values_list(
            "id", "claim", "status", "cancel_requested_at"
        )
        found = {job_id: tuple(facts) for job_id, *facts in rows}
        for run in runs:
            claim, status, canceled_at = found.get(run.job_id, (None, None, None))
            if claim != run.lease.claim or status != State.RUNNING:
                run.stop_with(LeaseLost)
            elif canceled_at is not None:
                run.stop_with(CancelRequested)

    def keep_time(self) -> None:
        """Ask those to stop whose time is up, and end those who were asked and did not hear."""
        now = time.monotonic()
        for run in self.unfinished():
            if now > run.deadline:
                run.stop_with(DeadlinePassed)
            if now - run.asked_at >= DEAF_AFTER_S:
                self.close(run)

    def close(self, run: Run) -> None:
        """Write the end of a run that does not listen; whatever it still does, it does for nobody.
        The end comes first: what its executor makes of its processes' death counts no more."""
        ending = execution.end_in_its_stead(run)
        run.closed_at = time.monotonic()
        with self._lock:
            thread_id = self._runs.get(run)
            killed = families.kill(thread_id) if thread_id else 0
        facts = {"type": run.kind.name, "ending": ending, "processes_killed": killed}
        log.error("deaf_run_closed", job_id=str(run.job_id), **facts)

    def is_stuck(self) -> bool:
        """Whether a slot is held by a run that ended long ago for everybody else."""
        now = time.monotonic()
        return any(now - run.closed_at >= _stuck_after_s(run) for run in self.runs())

    def beat(self) -> None:
        for run in self.runs():
            if not lifecycle.beat(run.lease):
                run.stop_with(LeaseLost)

    def release_strays(self) -> None:
        """Give back what this process holds but does not run: the database took a claim whose
        answer was lost on the way. Seen twice, because a claim becomes a run a moment later."""
        mine = Job.objects.filter(status=State.RUNNING, lease_holder=self._holder)
        held = {Lease(*facts, self._holder) for facts in mine.values_list("id", "claim")}
        strays = held - {run.lease for run in self.runs()}
        for lease in strays & self._stray:
            log.warning("stray_claim_released", job_id=str(lease.job_id))
            lifecycle.give_back(lease, "The worker did not notice that it had taken the job.")
        self._stray = strays

    def ask_all(self, reason: type[Stopped]) -> None:
        for run in self.runs():
            run.stop_with(reason)


def _stuck_after_s(run: Run) -> float:
    return OVERDUE_AFTER_S if run.reason is DeadlinePassed else STUCK_AFTER_S
