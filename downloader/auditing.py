"""The admin's log of what people changed in this room."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model


def note(thing: Model, flag: int, by: Any, what: str, **facts: Any) -> None:
    """Who changed what; nothing for the service's own doing."""
    if getattr(by, "pk", None) is None:
        return
    LogEntry.objects.log_actions(
        user_id=by.pk,
        queryset=[thing],
        action_flag=flag,
        change_message=f"{what}: {json.dumps(facts, default=str)}",
        single_object=True,
    )
