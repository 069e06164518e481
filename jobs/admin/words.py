"""A job in a few words."""

from __future__ import annotations

from django.db.models import Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Left, NullIf

from jobs.models import Job

# What a job is about, as its parameters name it: the first that is there.
NAMED = ("prompt", "ref", "repo_id", "source_repo_id", "path", "model_id")
LONGEST = 120
READ = LONGEST * 4


def subject(job: Job) -> str:
    """What it draws, downloads or checks; empty when its parameters do not say."""
    found = (str(job.params[name]) for name in NAMED if job.params.get(name))
    return short(next(found, "")[:READ])


def subjects() -> Coalesce:
    """The same of the rows of a list, whose parameters are not read: some are a megabyte."""
    found = (NullIf(Left(KT(f"params__{name}"), READ), Value("")) for name in NAMED)
    return Coalesce(*found, Value(""))


def short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
