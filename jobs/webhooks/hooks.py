"""What a client says of a webhook: the address it names and the events it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from jobs.errors import InvalidParams
from jobs.states import TERMINAL
from jobs.webhooks import guard
from jobs.webhooks.errors import BadAddress

EVENTS = tuple(sorted(f"job.{state.value}" for state in TERMINAL))
TEST_EVENT = "webhook.test"


@dataclass(frozen=True)
class Hook:
    url: str
    events: tuple[str, ...] = EVENTS


def parse(given: Mapping[str, Any], prefix: str = "") -> Hook:
    """The hook, or InvalidParams naming the field (below `prefix`)."""
    url, events = given.get("url"), given.get("events") or EVENTS
    if not isinstance(url, str):
        raise InvalidParams({f"{prefix}url": ["Takes an http or https URL."]})
    try:
        guard.check_form(url, settings.WEBHOOK_ALLOWED_NETWORKS)
    except BadAddress as error:
        raise BadAddress(error.reason, f"{prefix}url") from None
    return Hook(url, _events(events, f"{prefix}events"))


def _events(given: Sequence[Any], field: str) -> tuple[str, ...]:
    unknown = [name for name in given if name not in EVENTS]
    if unknown or isinstance(given, str):
        raise InvalidParams({field: [f"Takes a list out of {', '.join(EVENTS)}."]})
    return tuple(name for name in EVENTS if name in given)
