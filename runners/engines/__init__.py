"""What draws. The child imports the one engine module that it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runners.engines.base import Engine

MODULES = {"fake": "runners.engines.fake", "sdxl": "runners.engines.sdxl"}


def make(name: str, device: str) -> Engine:
    """ValueError: there is no such engine."""
    if name not in MODULES:
        raise ValueError(f"there is no engine {name!r}; known: {', '.join(sorted(MODULES))}")
    made: Engine = import_module(MODULES[name]).make(device)
    return made
