"""The states of every background job, and the only moves between them.

    queued ──start──▶ running ──succeed──▶ succeeded
      │  ▲               │ ├────fail────▶ failed   (dead when its attempts are used up)
      │  └───release─────┘ └───cancel───▶ canceled
      └──────────cancel────────────────▶ canceled

A job that failed is never moved again: requeueing it makes a new job that names the old one, so
that history stays what happened.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


ARROWS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED, State.QUEUED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}
LIVE = frozenset({State.QUEUED, State.RUNNING})
TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED})


def may_move(origin: State, target: State) -> bool:
    return target in ARROWS[origin]
