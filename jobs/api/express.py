"""Creating jobs for several callers at once: what the site's express way (settings.EXPRESS) calls.

It is for the plain case only, and says None wherever it is not sure of a 202. The request then goes
the ordinary way, through JobsView, which does it again or says what was wrong. Nothing happens
twice, because every request here has an Idempotency-Key, and the key is stored with the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.exceptions import ValidationError
from structlog.contextvars import bound_contextvars

from jobs import idempotency, kinds, submission
from jobs.api import serializers
from jobs.api.answers import KEPT_IN, accepted
from jobs.errors import JobError
from jobs.idempotency import Reply
from jobs.models import IdempotencyKey
from jobs.submission import Draft
from jobs.webhooks import hooks

SCOPE = "jobs"  # all that is known of a key here: that it has this one


class Post(Protocol):
    """What the site knows of a request whose caller and shape of body are right."""

    @property
    def owner(self) -> AbstractBaseUser: ...
    @property
    def body(self) -> dict[str, Any]: ...
    @property
    def idempotency_key(self) -> str: ...
    @property
    def request_id(self) -> str: ...


@dataclass(frozen=True, eq=False)
class _Made:
    draft: Draft
    kept: IdempotencyKey
    reply: Reply


def create(posts: Sequence[Post]) -> list[Reply | None]:
    """Store the jobs of these requests in one transaction; None: ask in the ordinary way.
    IntegrityError: one of the keys is taken, and nothing was stored."""
    made = [_made(post) for post in posts]
    chosen = _one_for_each_key([found for found in made if found is not None])
    _store(chosen)
    return [found.reply if found in chosen else None for found in made]


def _made(post: Post) -> _Made | None:
    try:
        key = idempotency.checked(post.idempotency_key)
        wanted = serializers.JobCreateSerializer.shared().run_validation(post.body)
        kind = kinds.get(wanted["type"])
        if key is None or kind.scope != SCOPE or kind.auditor:
            return None
        named = wanted["webhook"]
        with bound_contextvars(request_id=post.request_id):
            draft = submission.draft(
                wanted["type"],
                wanted["params"],
                post.owner,
                priority=wanted["priority"],
                webhook=hooks.parse(named, "webhook.") if named else None,
            )
    except (JobError, ValidationError):
        return None
    reply = accepted(draft.job)
    caller = str(post.owner.pk)
    kept = idempotency.kept(caller=caller, scope=KEPT_IN, key=key, body=post.body, reply=reply)
    return _Made(draft, kept, reply)


def _one_for_each_key(made: list[_Made]) -> list[_Made]:
    """In the order of the keys: two processes that wait for each other's keys would be a knot."""
    by_key = {(found.kept.key_hash, found.kept.caller): found for found in reversed(made)}
    return [by_key[key] for key in sorted(by_key)]


def _store(made: list[_Made]) -> None:
    drafts = [Draft(found.draft.job, [*found.draft.rows, found.kept]) for found in made]
    submission.store(drafts, prepared=True)
