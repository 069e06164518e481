"""One id that follows a request through the web, the tasks it causes and their child processes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

import structlog

# A child process that is not asked over HTTP or Celery gets the id in its environment.
CHILD_VARIABLE = "DREAMFORGE_REQUEST_ID"
SENT_IN = ("x-client-request-id", "x-request-id")
ANSWERED_IN = "X-Request-Id"

_VALID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def is_valid(candidate: str) -> bool:
    return _VALID.fullmatch(candidate) is not None


def from_headers(headers: Mapping[str, str]) -> str:
    """The client's id when it sent a valid one, else a fresh one.

    `headers` looks names up without case, or has them in lower case.
    """
    sent = (headers.get(name, "") for name in SENT_IN)
    return next((candidate for candidate in sent if is_valid(candidate)), uuid.uuid4().hex)


def current() -> str | None:
    """The id of the request this code runs for, if it runs for one."""
    found = structlog.contextvars.get_contextvars().get("request_id")
    return str(found) if found else None


def inherited(environment: Mapping[str, str]) -> str | None:
    """The id this process was started for, if its parent passed one on."""
    candidate = environment.get(CHILD_VARIABLE, "")
    return candidate if is_valid(candidate) else None


def for_child(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` for a child process that works for the current request."""
    request_id = current()
    passed_on = {CHILD_VARIABLE: request_id} if request_id else {}
    return {**environment, **passed_on}
