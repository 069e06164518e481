"""What the runner is asked for, and what each image will say of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from jobs.generation import provenance
from jobs.generation.plans import Plan
from jobs.run import Run
from registry.models import Model
from runners import seeds
from runners.protocol import Draw, Item

DRAWN = (
    "prompt",
    "negative_prompt",
    "width",
    "height",
    "steps",
    "guidance",
    "scheduler",
    "format",
)


def request(
    run: Run, model: Model | None, plan: Plan, indices: Iterable[int], out_dir: str
) -> Draw:
    asked = {name: run.params[name] for name in DRAWN}
    return Draw(
        id=f"{run.job_id}/{run.attempt}",
        out_dir=out_dir,
        items=tuple(Item(index, seed_of(run.params, index)) for index in indices),
        embed_metadata=run.params["embed_metadata"],
        metadata=facts(run, model),
        signing_key=provenance.key_of(str(run.job_id)),
        parallel=plan.preset.parallel,
        **{**asked, "guidance": float(asked["guidance"])},
    )


def seed_of(params: Mapping[str, Any], index: int) -> int | None:
    """None: the runner draws a fresh one just before the image starts."""
    if params.get("seeds"):
        return int(params["seeds"][index])
    seed = params.get("seed")
    if seed is None:
        return None
    if params["seed_strategy"] == "increment":
        return seeds.incremented(seed, index)
    return int(seed) if params["count"] == 1 else None


def tell_seeds(run: Run) -> None:
    params = run.params
    ignored = params.get("seed") is not None and params["count"] > 1
    if ignored and params["seed_strategy"] == "random":
        run.log(
            "seed.ignored",
            "The seed is not used: each of several images draws its own. "
            "With seed_strategy=increment it would count up from the seed.",
            level="warning",
        )


def facts(run: Run, model: Model | None) -> dict[str, Any]:
    """All but the seed, which is the image's own."""
    known = {name: run.params[name] for name in DRAWN if name != "format"}
    known |= {"job_id": str(run.job_id), "software": f"Dream Forge {settings.VERSION}"}
    if model is not None:
        known |= {
            "model_id": str(model.pk),
            "model_name": model.name,
            "model_version": model.version,
            "checkpoint_hash": model.checkpoint_hash,
            "source_uri": model.source_uri,
        }
    return known
