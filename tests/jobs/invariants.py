"""INV: what holds of every job whatever was killed, one function for all scenario tests.

Each accepted job is still there and ended in exactly one way; its history counts 1, 2, 3… with one
`job.finish` that says the same; every start is accounted for; nobody holds a lease on what ended;
no artifact stands twice.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from jobs.models import Artifact, Event, Job, Step
from jobs.states import TERMINAL, State


@dataclass
class Found:
    """All that is stored of one job."""

    job: Job
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    artifacts: list[tuple[Any, int]] = field(default_factory=list)

    @property
    def codes(self) -> Counter[str]:
        return Counter(code for _, code, _ in self.events)


def check(
    accepted: Iterable[uuid.UUID | str] | None = None,
    *,
    ended: bool = True,
    using: str = "default",
) -> None:
    """Assert INV of every stored job. `accepted`: the ids that clients were given a 202 for;
    `ended`: whether all of them must be over by now."""
    found = _read(using)
    if accepted is not None:
        missing = {str(job_id) for job_id in accepted} - {str(job_id) for job_id in found}
        assert not missing, f"accepted, but not there: {sorted(missing)}"
    rules = [*ALWAYS, *(ENDED if ended else ())]
    broken = [
        f"{one.job.type} {one.job.id} ({one.job.status}): {complaint}"
        for one in found.values()
        for complaint in (rule(one) for rule in rules)
        if complaint
    ]
    assert not broken, "\n".join(broken)


def _has_ended(one: Found) -> str:
    return "" if one.job.status in TERMINAL else "has not ended"


def _history_has_no_gap(one: Found) -> str:
    seqs = [seq for seq, _, _ in one.events]
    return "" if seqs == list(range(1, one.job.last_seq + 1)) else f"events are numbered {seqs}"


def _ends_once(one: Found) -> str:
    told = [payload.get("status") for _, code, payload in one.events if code == "job.finish"]
    expected = [one.job.status] if one.job.status in TERMINAL else []
    return "" if told == expected else f"job.finish told {told}"


def _every_start_is_accounted_for(one: Found) -> str:
    starts, released = one.codes["job.start"], one.codes["job.released"]
    facts = (starts, starts - released)
    if facts == (one.job.claim, one.job.attempts):
        return ""
    return f"{facts} starts and attempts told, {one.job.claim} and {one.job.attempts} stored"


def _attempts_are_bounded(one: Found) -> str:
    within = one.job.attempts <= one.job.max_attempts
    return "" if within else f"{one.job.attempts} of {one.job.max_attempts} attempts"


def _lease_matches_state(one: Found) -> str:
    held = bool(one.job.lease_holder)
    return "" if held is (one.job.status == State.RUNNING) else f"holder {one.job.lease_holder!r}"


def _error_matches_state(one: Found) -> str:
    wanted = one.job.status in (State.FAILED, State.CANCELED)
    if one.job.status not in TERMINAL or bool(one.job.error_code) is wanted:
        return ""
    return f"error_code {one.job.error_code!r}"


def _time_is_told(one: Found) -> str:
    told = one.job.finished_at is not None
    return "" if told is (one.job.status in TERMINAL) else f"finished_at {one.job.finished_at}"


def _no_step_goes_on(one: Found) -> str:
    goes_on = State.RUNNING in one.steps and one.job.status != State.RUNNING
    return "a step is still running" if goes_on else ""


def _artifacts_are_unique(one: Found) -> str:
    doubled = len(set(one.artifacts)) != len(one.artifacts)
    beyond = len(one.artifacts) > one.job.summary.get("count", 1)
    return f"artifacts {one.artifacts}" if doubled or beyond else ""


Rule = Callable[[Found], str]
ALWAYS: tuple[Rule, ...] = (
    _history_has_no_gap,
    _ends_once,
    _every_start_is_accounted_for,
    _attempts_are_bounded,
    _lease_matches_state,
    _error_matches_state,
    _time_is_told,
    _no_step_goes_on,
    _artifacts_are_unique,
)
ENDED: tuple[Rule, ...] = (_has_ended,)


def _read(using: str) -> dict[uuid.UUID, Found]:
    found = {job.id: Found(job) for job in Job.objects.using(using).all()}
    for job_id, *event in (
        Event.objects.using(using).order_by("seq").values_list("job_id", "seq", "code", "payload")
    ):
        found[job_id].events.append((event[0], event[1], event[2]))
    steps: dict[uuid.UUID, list[str]] = defaultdict(list)
    for job_id, status in Step.objects.using(using).values_list("job_id", "status"):
        steps[job_id].append(status)
    for job_id, step_id, item in Artifact.objects.using(using).values_list(
        "job_id", "step_id", "item_index"
    ):
        found[job_id].artifacts.append((step_id, item))
    for job_id, statuses in steps.items():
        found[job_id].steps = statuses
    return found
