"""A job in a few words."""

from __future__ import annotations

from jobs.models import Job

# What a job is about, as its parameters name it: the first that is there.
NAMED = ("prompt", "ref", "repo_id", "source_repo_id", "path", "model_id")
LONGEST = 120


def subject(job: Job) -> str:
    """What it draws, downloads or checks; empty when its parameters do not say."""
    found = (str(job.params[name]) for name in NAMED if job.params.get(name))
    text = " ".join(next(found, "")[: LONGEST * 4].split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
