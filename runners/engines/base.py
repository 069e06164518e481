"""What every engine can do. The child calls it from one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runners.protocol import Draw, EngineSettings, Memory, ModelFiles

Say = Callable[[str, str, str], None]  # level, code, message
Tell = Callable[[float], None]  # how much of something is done, from 0 to 1


def unheard(_done: float) -> None:
    """For who does not ask."""


@dataclass(frozen=True)
class Seeded:
    """An item of a request that has its seed."""

    index: int
    seed: int


@dataclass(frozen=True)
class Picture:
    """Rows of RGB bytes, top to bottom."""

    width: int
    height: int
    rgb: bytes


class Watching(Protocol):
    """How an engine tells how far it is. Each call may raise CanceledHere."""

    def step(self, index: int, step: int, steps: int) -> None: ...

    def finalizing(self, index: int) -> None: ...


class Engine(Protocol):
    """`load` and `draw` raise RunnerError for what they can name; anything else is an internal
    fault of the engine."""

    name: str

    def load(
        self, model: ModelFiles, settings: EngineSettings, say: Say, tell: Tell = unheard
    ) -> None:
        """`tell` is called as the loading goes on, by an engine that knows how far it is."""

    def draw(
        self, request: Draw, items: Sequence[Seeded], watching: Watching, say: Say
    ) -> list[Picture]:
        """One picture for each of `items`, which are drawn in one pass."""
        ...

    def memory(self) -> Memory: ...
