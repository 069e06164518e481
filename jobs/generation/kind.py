"""The job type `generate`, as plain data: the web loads this and nothing that draws."""

from __future__ import annotations

from jobs.generation import parameters
from jobs.kinds import Kind

KIND = Kind(
    name="generate",
    queue="gpu",
    serializer="jobs.generation.parameters.GenerateSerializer",
    executor="jobs.generation.execution.generate",
    steps=("generate",),
    stages={"load": 0.05, "sampling": 0.85, "finalize": 0.10},
    item_count=parameters.item_count,
    model_id=parameters.model_id,
)
