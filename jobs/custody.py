"""The runs of this process: who must be told to stop, and what happens to one that does not listen.

Nobody can stop a thread. A run is asked, and a good executor ends within moments. For one that does
not, its end is written in its stead after DEAF_AFTER_S: the fencing token then keeps it from ever
writing again. One that still sits in its slot STUCK_AFTER_S later makes the process retire.
"""

from __future__ import annotations

import threading
import time

import structlog

from jobs import execution, lifecycle
from jobs.errors import CancelRequested, DeadlinePassed, LeaseLost, Stopped
from jobs.lifecycle import Lease
from jobs.models import Job
from jobs.run import Run
from jobs.states import State

log = structlog.get_logger(__name__)

DEAF_AFTER_S = 4.0
STUCK_AFTER_S = 5.0


class Custody:
    def __init__(self, holder: str) -> None:
        self._holder = holder
        self._runs: list[Run] = []
        self._lock = threading.Lock()
        self._stray: set[Lease] = set()

    def take(self, run: Run) -> None:
        with self._lock:
            self._runs.append(run)

    def release(self, run: Run) -> None:
        with self._lock:
            self._runs.remove(run)

    def runs(self) -> list[Run]:
        with self._lock:
            return list(self._runs)

    def has_suspect(self) -> bool:
        return any(run.suspect for run in self.runs())

    def watch(self) -> None:
        """Ask those to stop whose job was canceled, whose time is up or whose lease is gone."""
        runs = self.runs()
        if not runs:
            return
        self._keep_time(runs)
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

    def close_deaf(self) -> None:
        now = time.monotonic()
        for run in self.runs():
            if run.closed_at > now and now - run.asked_at >= DEAF_AFTER_S:
                close(run)

    def is_stuck(self) -> bool:
        """Whether a slot is held by a run that ended long ago for everybody else."""
        now = time.monotonic()
        return any(now - run.closed_at >= STUCK_AFTER_S for run in self.runs())

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

    def _keep_time(self, runs: list[Run]) -> None:
        now = time.monotonic()
        for run in runs:
            if now > run.deadline:
                run.stop_with(DeadlinePassed)


def close(run: Run) -> None:
    """Write the end of a run that does not listen; whatever it still does, it does for nobody."""
    ending = execution.end_in_its_stead(run)
    run.closed_at = time.monotonic()
    log.error("deaf_run_closed", job_id=str(run.job_id), type=run.kind.name, ending=ending)
