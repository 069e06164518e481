"""The same request sent twice does its work once and is answered twice.

The key and the work are written in one transaction, and a unique index lets one of several
requests with the key commit: the others answer as it did. Nobody is told to come back later.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from jobs import rows
from jobs.errors import IdempotencyConflict, InvalidParams, JobError
from jobs.models import IdempotencyKey

KEY_FORM = re.compile(r"[\x20-\x7e]{1,255}\Z")
HEADER = "Idempotency-Key"
_LOOKUP = rows.Lookup(
    lambda caller, scope, key_hash: IdempotencyKey.objects.filter(
        caller=caller, scope=scope, key_hash=key_hash
    ),
    arguments=3,
)


# One for all: `json.dumps` would make one for each body.
_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


@dataclass(frozen=True)
class Reply:
    status: int
    answer: dict[str, Any]
    location: str = ""
    replayed: bool = False


Keep = Callable[[Reply], Sequence[Model]]


def checked(key: str | None) -> str | None:
    """The key as sent, None when there is none; InvalidParams when it cannot be one."""
    if key is None:
        return None
    if not KEY_FORM.match(key) or not key.strip():
        raise InvalidParams({HEADER: ["Takes 1 to 255 printable ASCII characters."]})
    return key


def once(
    *, caller: str, scope: str, key: str | None, body: Any, work: Callable[[], Reply]
) -> Reply:
    """Do `work` and keep its reply under `key`, or give the reply kept there."""

    def separately(keep: Keep) -> Reply:
        with transaction.atomic():
            reply = work()
            rows.insert(keep(reply))
        return reply

    return once_along(caller=caller, scope=scope, key=key, body=body, work=separately)


def once_along(
    *, caller: str, scope: str, key: str | None, body: Any, work: Callable[[Keep], Reply]
) -> Reply:
    """As `once`, for work that stores the rows `keep(reply)` gives along with its own: two round
    trips less on the way of every POST."""
    if key is None:
        return work(_nothing)
    place = {"caller": caller, "scope": scope, "key_hash": _hash(key)}
    body_hash = _hash(canonical(body))
    try:
        # Nobody looks first whether the key is kept: it nearly never is, and the index knows.
        return work(lambda reply: [_row(place, body_hash, reply)])
    except (IntegrityError, JobError):
        found = _LOOKUP.first(*place.values())
        if found is None:
            raise
    if found.expires_at > timezone.now():
        return _again(found, body_hash)
    IdempotencyKey.objects.filter(pk=found.pk).delete()
    return once_along(caller=caller, scope=scope, key=key, body=body, work=work)


def kept(*, caller: str, scope: str, key: str, body: Any, reply: Reply) -> IdempotencyKey:
    """The row that keeps `reply` under `key`. Storing it fails where the key is taken."""
    place = {"caller": caller, "scope": scope, "key_hash": _hash(key)}
    return _row(place, _hash(canonical(body)), reply)


def canonical(body: Any) -> str:
    """One text for one meaning: key order and spacing do not make another request."""
    return _text(body)


def _again(kept: IdempotencyKey, body_hash: str) -> Reply:
    if kept.body_hash != body_hash:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body; use a new key for a new request."
        )
    return Reply(kept.status, kept.answer, kept.location, replayed=True)


def _nothing(_reply: Reply) -> Sequence[Model]:
    return ()


def _row(place: dict[str, str], body_hash: str, reply: Reply) -> IdempotencyKey:
    return IdempotencyKey(
        **place,
        body_hash=body_hash,
        status=reply.status,
        answer=reply.answer,
        location=reply.location,
        expires_at=timezone.now() + timedelta(seconds=settings.IDEMPOTENCY_TTL_S),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
