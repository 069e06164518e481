"""What a job's page shows, looked up: a fixed number of queries, however long its history is."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from jobs import dead_letters, queueing
from jobs.admin.words import subject
from jobs.generation import links
from jobs.models import Artifact, Event, Job
from jobs.states import LIVE, TERMINAL, State

EVENTS_SHOWN = 200
MOVES_SHOWN = 50
IMAGES_SHOWN = 24
# The events that tell of a move between states, in words.
MOVES = {
    "job.queued": "Queued",
    "job.start": "Running",
    "retry.scheduled": "Queued again",
    "job.released": "Given back",
    "cancel.requested": "Cancel asked for",
    "job.finish": "Finished",
}
LINK_GRID_S = 3600


@dataclass(frozen=True)
class Move:
    """One of the job's states, and how long the one before it lasted."""

    title: str
    state: str
    at: datetime
    note: str
    after_s: float | None


@dataclass(frozen=True)
class Image:
    artifact: Artifact
    url: str
    tile: str  # what is shown of it on the page


def live(request: HttpRequest, job: Job, *, may_act: bool) -> dict[str, Any]:
    """What changes while somebody looks."""
    images = list(job.artifacts.order_by("-item_index")[:IMAGES_SHOWN])
    return {
        "job": job,
        "subject": subject(job),
        "percent": round(job.progress * 100, 1),
        "over": job.status in TERMINAL,
        "place": queueing.place(job),
        "moves": moves(job),
        "steps": list(job.steps.all()),
        "images": [_image(request, artifact) for artifact in images],
        "images_version": "-".join(artifact.sha256[:8] for artifact in images),
        "more_images": job.artifacts.count() - len(images) if len(images) == IMAGES_SHOWN else 0,
        "summary": as_json(job.summary) if job.summary else "",
        "error_detail": job.error_detail if may_act else "",
        "buttons": buttons(job, request.user) if may_act else [],
    }


def whole(request: HttpRequest, job: Job, *, may_act: bool) -> dict[str, Any]:
    later = job.requeued_as.order_by("created_at").values_list("pk", flat=True)
    return {
        **live(request, job, may_act=may_act),
        "events": last_events(job),
        "events_shown": EVENTS_SHOWN,
        "params": as_json(job.params),
        "requeued_as": list(later[:5]),
    }


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def last_events(job: Job) -> list[tuple[Event, str]]:
    """The newest events, oldest first, each with its payload as JSON."""
    newest = list(job.events.order_by("-seq")[:EVENTS_SHOWN])[::-1]
    return [(event, _payload(event)) for event in newest]


def moves(job: Job) -> list[Move]:
    """The states it went through, oldest first; of a long history the first."""
    told = job.events.filter(code__in=sorted(MOVES)).order_by("seq")
    found: list[Move] = []
    for event in told[:MOVES_SHOWN]:
        after_s = (event.ts - found[-1].at).total_seconds() if found else None
        found.append(Move(*_named(event), event.ts, _note(event), after_s))
    return found


def buttons(job: Job, user: Any) -> list[tuple[str, str]]:
    """Those that would do something now, and would not be refused to who sees them."""
    over = job.status in (State.FAILED, State.CANCELED)
    stoppable = job.status in LIVE and job.cancel_requested_at is None
    offered = (
        ("cancel", "Cancel", stoppable),
        ("requeue", "Requeue", over and dead_letters.may_run_again(job, user)),
        ("discard", "Discard dead letter", dead_letters.is_open(job)),
    )
    return [(action, label) for action, label, useful in offered if useful]


def _payload(event: Event) -> str:
    return json.dumps(event.payload, ensure_ascii=False) if event.payload else ""


def _named(event: Event) -> tuple[str, str]:
    """Its title and the state it led to."""
    if event.code == "job.finish":
        status = str(event.payload.get("status", ""))
        return (status.capitalize() or MOVES[event.code], status)
    state = State.RUNNING if event.code == "job.start" else State.QUEUED
    return MOVES[event.code], state.value


def _note(event: Event) -> str:
    if event.code == "job.start":
        return str(event.payload.get("worker", ""))
    return event.message if event.code in ("retry.scheduled", "job.released") else ""


def _image(request: HttpRequest, artifact: Artifact) -> Image:
    """Links that end on the hour, so that a picture drawn again is the same to the browser."""
    now = int(time.time())
    ends = (now + settings.PRESIGN_TTL_S) // LINK_GRID_S * LINK_GRID_S + LINK_GRID_S
    ttl_s = max(links.SHORTEST_S, min(ends - now, links.LONGEST_S))
    base = request.build_absolute_uri("/").rstrip("/")
    url = links.link(artifact, ttl_s, base).url
    return Image(artifact, url, links.thumbnail(artifact, ttl_s, base) or url)
