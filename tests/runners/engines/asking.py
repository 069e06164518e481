"""Asking an engine for pictures without a child around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runners.engines.base import Picture, Seeded
from runners.errors import CanceledHere
from runners.protocol import Draw

# What single precision may differ by between ways to compute the same: two of 255.
TOLERANCE = 2


def request(**changes: Any) -> Draw:
    usual: dict[str, Any] = {
        "id": "job/1",
        "prompt": "a lighthouse",
        "negative_prompt": "fog",
        "width": 64,
        "height": 64,
        "steps": 4,
        "guidance": 7.0,
        "scheduler": "euler",
        "format": "png",
        "out_dir": "",
        "items": (),
    }
    return Draw(**{**usual, **changes})


def seeded(*seeds: int) -> list[Seeded]:
    return [Seeded(index, seed) for index, seed in enumerate(seeds)]


def distance(one: Picture, two: Picture) -> int:
    """The largest difference of a value, of 255."""
    assert (one.width, one.height) == (two.width, two.height)
    return max(abs(a - b) for a, b in zip(one.rgb, two.rgb, strict=True))


class Watcher:
    """Remembers what it was told; cancels where `until` says so."""

    def __init__(self, until: Callable[[int], bool] = lambda _step: False) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.finalized: list[int] = []
        self._until = until

    def step(self, index: int, step: int, steps: int) -> None:
        self.steps.append((index, step, steps))
        if self._until(step):
            raise CanceledHere

    def finalizing(self, index: int) -> None:
        self.finalized.append(index)
        if self._until(-1):
            raise CanceledHere


class Notes(list[tuple[str, str, str]]):
    """A `Say`."""

    def __call__(self, level: str, code: str, message: str) -> None:
        self.append((level, code, message))
