"""What the list's script asks: which rows it shows."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass

from django.http import QueryDict

from jobs.models import Job

MOST_ROWS = 200
COUNTED_NEW = 100


@dataclass(frozen=True)
class Wanted:
    ids: tuple[uuid.UUID, ...]
    newest: uuid.UUID | None


def parse(query: QueryDict) -> Wanted:
    """What is no id is passed over: the script sends what the page holds."""
    ids = _ids(query.get("ids", "").split(",")[:MOST_ROWS])
    return Wanted(ids, next(iter(_ids([query.get("newest", "")])), None))


def newer_than(newest: uuid.UUID | None) -> int:
    """Jobs made after that one, counted no further than anybody wants to know."""
    if newest is None:
        return 0
    moment = Job.objects.filter(pk=newest).values_list("created_at", flat=True).first()
    if moment is None:
        return 0
    return Job.objects.filter(created_at__gt=moment).order_by()[:COUNTED_NEW].count()


def _ids(texts: list[str]) -> tuple[uuid.UUID, ...]:
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(uuid.UUID(text))
    return tuple(found)
