"""A job in a few words, and what somebody did to it."""

from __future__ import annotations

import json
from typing import Any

from jobs.auditing import standing, told
from jobs.models import Job

__all__ = ["changes", "standing", "subject", "told"]

LONGEST_VALUE = 60
# What a job is about, as its parameters name it: the first that is there.
NAMED = ("prompt", "ref", "repo_id", "source_repo_id", "path", "model_id")
LONGEST = 120


def subject(job: Job) -> str:
    """What it draws, downloads or checks; empty when its parameters do not say."""
    found = (str(job.params[name]) for name in NAMED if job.params.get(name))
    text = " ".join(next(found, "")[: LONGEST * 4].split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def changes(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The parameters that differ, with both values, each cut to what a line can hold."""
    names = [name for name in after if before.get(name) != after[name]]
    shown = [f"{name}: {_brief(before.get(name))} → {_brief(after[name])}" for name in names]
    return "; ".join(shown) or "none changed"


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
