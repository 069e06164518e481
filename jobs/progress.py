"""How far a job is: a pure value that only grows within an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Every item goes through the same weighted stages; the job is the mean of its items."""

    stages: Mapping[str, float]
    count: int
    done: dict[int, dict[str, float]] = field(default_factory=dict)

    def advance(self, item_index: int, stage: str, fraction: float) -> bool:
        """Note that `stage` of an item is `fraction` done; False when that is no news."""
        if stage not in self.stages or not 0 <= item_index < self.count:
            raise ValueError(f"no stage {stage!r} of item {item_index}")
        reached = self.done.setdefault(item_index, {})
        fraction = min(1.0, max(0.0, fraction))
        if fraction <= reached.get(stage, 0.0):
            return False
        reached[stage] = fraction
        return True

    def finish_item(self, item_index: int) -> None:
        self.done[item_index] = dict.fromkeys(self.stages, 1.0)

    def of_item(self, item_index: int) -> float:
        reached = self.done.get(item_index, {})
        weighted = sum(weight * reached.get(name, 0.0) for name, weight in self.stages.items())
        return weighted / sum(self.stages.values())

    def overall(self) -> float:
        return min(1.0, sum(self.of_item(index) for index in self.done) / self.count)

    def as_state(self) -> dict[str, Any]:
        """What is stored with the job and shown at `/progress`."""
        items = [
            {"item_index": index, "progress": round(self.of_item(index), 4)}
            for index in sorted(self.done)
        ]
        stages = [
            {"name": name, "weight": weight, "progress": round(self._of_stage(name), 4)}
            for name, weight in self.stages.items()
        ]
        return {"items": items, "stages": stages}

    def _of_stage(self, name: str) -> float:
        return sum(reached.get(name, 0.0) for reached in self.done.values()) / self.count
