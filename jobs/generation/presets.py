"""Named settings for classes of GPUs, and how much memory a request needs under them.

Values only. The estimate is that of SDXL in half precision: the weights that are on the device at
once, and what one pass over the images holds besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runners.protocol import EngineSettings

GIB = 1_073_741_824
MIB = 1_048_576
# Measured parts of SDXL in 16 bit: UNet, both text encoders, VAE.
UNET_BYTES = 4.8 * GIB
TEXT_BYTES = 1.52 * GIB
VAE_BYTES = 0.16 * GIB
CONTEXT_BYTES = 0.6 * GIB  # of the driver, in every process that uses the device
# Activations of one image of 1024 x 1024 in one pass, and of its decoding by the VAE.
PASS_BYTES = 1.2 * GIB
DECODE_BYTES = 2.9 * GIB
TILED_DECODE_BYTES = 1.0 * GIB
ONE_LAYER_BYTES = 0.4 * GIB
REFERENCE_PIXELS = 1024 * 1024
SMALLEST_SIDE, SIDE_STEP = 64, 8


@dataclass(frozen=True)
class Preset:
    """`parameters` are taken where a request says nothing; `memory_bytes` is what the class of
    devices has; `smaller` the preset to step down to when the device runs out of memory."""

    name: str
    version: int
    label: str
    memory_bytes: int
    engine: EngineSettings
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parallel: int = 1
    smaller: str | None = None


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "cpu",
            1,
            "No GPU: small images, slowly",
            0,
            EngineSettings(dtype="fp32"),
            {"width": 512, "height": 512, "steps": 20},
        ),
        Preset(
            "8gb",
            1,
            "GPUs with 8 GB: parts of the model wait in the computer's memory",
            8 * GIB,
            EngineSettings(offload="sequential", vae_tiling=True, vae_slicing=True),
        ),
        Preset(
            "12gb",
            1,
            "GPUs with 12 GB: what is not in use waits in the computer's memory",
            12 * GIB,
            EngineSettings(offload="model", vae_tiling=True, vae_slicing=True),
            smaller="8gb",
        ),
        Preset(
            "24gb",
            1,
            "GPUs with 16 to 24 GB: the whole model stays on the device",
            24 * GIB,
            EngineSettings(vae_slicing=True),
            smaller="12gb",
        ),
        Preset(
            "80gb",
            1,
            "GPUs with 40 GB and more: several images in one pass",
            80 * GIB,
            EngineSettings(),
            parallel=4,
            smaller="24gb",
        ),
    )
}


def for_memory(total_bytes: int) -> Preset:
    """The largest preset that a device of this size holds; without a GPU the one for none."""
    if total_bytes <= 0:
        return PRESETS["cpu"]
    # Cards have a little less than their name says.
    fitting = [p for p in PRESETS.values() if 0 < p.memory_bytes * 0.6 <= total_bytes]
    return max(fitting or [PRESETS["8gb"]], key=lambda preset: preset.memory_bytes)


def needed_bytes(width: int, height: int, settings: EngineSettings, parallel: int = 1) -> int:
    """About how much of the device a pass needs."""
    scale = width * height / REFERENCE_PIXELS
    double = 2 if settings.dtype == "fp32" else 1
    weights = {
        "none": UNET_BYTES + TEXT_BYTES + VAE_BYTES,
        "model": UNET_BYTES,
        "sequential": ONE_LAYER_BYTES,
    }[settings.offload]
    decoded = 1 if settings.vae_slicing else parallel
    decode = TILED_DECODE_BYTES if settings.vae_tiling else DECODE_BYTES * scale * decoded
    busiest = max(PASS_BYTES * scale * parallel, decode)
    return int(CONTEXT_BYTES + double * (weights + busiest))


@dataclass(frozen=True)
class Fit:
    """A setting that fits: what to change, and into what."""

    width: int
    height: int
    preset: str

    @property
    def told(self) -> str:
        return f"{self.width}x{self.height} with the preset {self.preset}"


def nearest_fit(width: int, height: int, preset: Preset, available_bytes: int) -> Fit | None:
    """The same size under a smaller preset, else the largest image of this shape."""
    for candidate in _downwards(preset):
        if needed_bytes(width, height, candidate.engine) <= available_bytes:
            return Fit(width, height, candidate.name)
    smallest = list(_downwards(preset))[-1]
    for factor in range(95, 4, -5):
        w, h = _scaled(width, factor), _scaled(height, factor)
        if needed_bytes(w, h, smallest.engine) <= available_bytes:
            return Fit(w, h, smallest.name)
    return None


def stepped_down(preset: Preset) -> Preset | None:
    return PRESETS[preset.smaller] if preset.smaller else None


def with_parallel(preset: Preset, most: int | None) -> Preset:
    """`most` images in a pass, whatever the preset says; None leaves it."""
    return preset if most is None else replace(preset, parallel=most)


def _downwards(preset: Preset) -> Iterator[Preset]:
    here: Preset | None = preset
    while here is not None:
        yield here
        here = stepped_down(here)


def _scaled(side: int, percent: int) -> int:
    return max(SMALLEST_SIDE, side * percent // 100 // SIDE_STEP * SIDE_STEP)
