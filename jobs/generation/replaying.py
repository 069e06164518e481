"""The images of a job once more: its parameters, with the seed that each image really had."""

from __future__ import annotations

from typing import Any

from jobs.errors import InvalidState
from jobs.generation.kind import KIND
from jobs.models import Job


def params_of(job: Job) -> dict[str, Any]:
    """What makes the images that the job finished again, in their order; InvalidState when it has
    none, for which seeds were never drawn or are not known any more."""
    if job.type != KIND.name:
        raise InvalidState(f"A job of type {job.type!r} makes no images; requeue it instead.")
    seeds = list(job.artifacts.order_by("item_index").values_list("seed", flat=True))
    if not seeds:
        raise InvalidState("The job has no images: nothing is known that could be made again.")
    chosen = ("seed", "seeds", "seed_strategy", "count")
    kept = {name: value for name, value in job.params.items() if name not in chosen}
    return {**kept, "seeds": seeds}
