"""SDXL by diffusers, wholly offline: from folders and from single files in the original layout.

The only place that imports torch. `engine` holds the model, `loading` brings it in, `drawing` makes
one pass; what a single file does not carry is in `configs/`.
"""

from __future__ import annotations

from runners.engines.base import Engine
from runners.engines.sdxl import surroundings


def make(device: str) -> Engine:
    """RunnerError: this device cannot be used."""
    surroundings.prepare()
    # Late: the libraries read the environment when they are imported, and take seconds.
    from runners.engines.sdxl.engine import SdxlEngine

    return SdxlEngine(device)
