"""A tiny real job: it proves that database, broker, worker and stream work together."""

from __future__ import annotations

from typing import Any

from jobs.kinds import Kind
from jobs.run import Run


def execute(run: Run) -> dict[str, Any]:
    items, ticks = run.params["items"], run.params["ticks"]
    with run.step("run"):
        for item in range(items):
            for tick in range(1, ticks + 1):
                run.wait(run.params["tick_ms"] / 1000)
                run.progress(item, "run", tick / ticks)
    return {"count": items, "completed": items}


KIND = Kind(
    name="selftest",
    queue="io",
    serializer="jobs.api.parameters.SelftestSerializer",
    executor="jobs.selftest.execute",
    item_count=lambda params: int(params["items"]),
)
