"""Which engine draws on this machine, and on what. It is said aloud at the start, and nothing ever
pretends to draw without having said so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import structlog
from django.conf import settings

from runners import devices
from runners.devices import CPU, Device

log = structlog.get_logger(__name__)

NEEDED = ("torch", "diffusers", "transformers")


@dataclass(frozen=True)
class Engine:
    name: str
    why: str


@cache
def chosen() -> Engine:
    """As DF_RUNNER says; `auto` takes `sdxl` where it can work."""
    engine = _chosen(settings.RUNNER)
    level = log.warning if engine.name == "fake" else log.info
    level("engine_chosen", engine=engine.name, asked=settings.RUNNER, why=engine.why)
    return engine


def _chosen(asked: str) -> Engine:
    if asked != "auto":
        return Engine(asked, f"DF_RUNNER={asked}")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return Engine("fake", f"{', '.join(missing)} not installed: images are pretended")
    if not devices.found():
        return Engine("fake", "no GPU found: images are pretended; DF_RUNNER=sdxl draws on the CPU")
    return Engine("sdxl", "a GPU and the engine's packages are here")


def slots() -> list[str]:
    """What the gpu worker's slots are called: one for each device."""
    wanted = tuple(settings.GPU_DEVICES)
    if wanted:
        return list(wanted)
    if chosen().name == "fake":
        return ["0"]
    return [device.name.removeprefix("cuda:") for device in devices.found()] or ["0"]


def device_of(slot: str, engine: Engine) -> str:
    """What torch calls it. Pretending, and drawing without a GPU, use the CPU."""
    if engine.name == "fake":
        return CPU
    names = {device.name for device in devices.found()}
    return f"cuda:{slot}" if f"cuda:{slot}" in names else CPU


def facts_of(device: str) -> Device:
    """Its size and use right now; nothing is known of a CPU."""
    return next((here for here in devices.found() if here.name == device), Device(device))
