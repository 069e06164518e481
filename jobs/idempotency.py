"""The same request sent twice does its work once and is answered twice.

The key and the work are written in one transaction. A second request with the key waits for the
first's commit at the unique index, then reads its answer: nobody is told to come back later.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs.errors import IdempotencyConflict, InvalidParams
from jobs.models import IdempotencyKey

KEY_FORM = re.compile(r"[\x20-\x7e]{1,255}\Z")
HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class Reply:
    status: int
    answer: dict[str, Any]
    location: str = ""
    replayed: bool = False


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
    if key is None:
        return work()
    row = {"caller": caller, "scope": scope, "key_hash": _hash(key)}
    body_hash = _hash(canonical(body))
    with transaction.atomic():
        if not _take(row, body_hash):
            return _replay(row, body_hash)
        reply = work()
        IdempotencyKey.objects.filter(**row).update(
            status=reply.status, answer=reply.answer, location=reply.location
        )
    return reply


def canonical(body: Any) -> str:
    """One text for one meaning: key order and spacing do not make another request."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _take(row: dict[str, str], body_hash: str) -> bool:
    """Whether the key is ours: free, or expired and taken over. At a conflict PostgreSQL waits
    for the other transaction, SQLite for its write lock; after it the other's row is there."""
    now = timezone.now()
    IdempotencyKey.objects.filter(**row, expires_at__lte=now).delete()
    expires_at = now + timedelta(seconds=settings.IDEMPOTENCY_TTL_S)
    mine = secrets.token_hex(16)
    fresh = IdempotencyKey(**row, body_hash=body_hash, taken_by=mine, expires_at=expires_at)
    IdempotencyKey.objects.bulk_create([fresh], ignore_conflicts=True)
    return IdempotencyKey.objects.filter(**row, taken_by=mine).exists()


def _replay(row: dict[str, str], body_hash: str) -> Reply:
    kept = IdempotencyKey.objects.get(**row)
    if kept.body_hash != body_hash:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body; use a new key for a new request."
        )
    return Reply(kept.status, kept.answer, kept.location, replayed=True)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
