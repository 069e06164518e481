"""How a request will be drawn on a device: with which preset, from which files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.errors import AttemptFailed
from jobs.generation import engines, presets
from jobs.generation.presets import Preset
from registry.kinds import SDXL_DIFFUSERS
from registry.models import Model
from runners.devices import CPU
from runners.protocol import EngineSettings, ModelFiles

# What a pretended image is drawn from.
NO_MODEL = ModelFiles(path="", layout="none", sha256="")


@dataclass(frozen=True)
class Plan:
    engine: str
    preset: Preset
    model: ModelFiles

    @property
    def settings(self) -> EngineSettings:
        return self.preset.engine


def make(params: Mapping[str, Any], model: Model | None, slot: str) -> Plan:
    """AttemptFailed when the device cannot hold the request, with the nearest that it can."""
    engine = engines.chosen()
    device = engines.facts_of(engines.device_of(slot, engine))
    preset = _preset(params.get("preset"), device.total_bytes)
    plan = Plan(engine.name, preset, files_of(model) if model else NO_MODEL)
    if device.name != CPU and device.total_bytes:
        _check_room(params, plan, device.total_bytes)
    return plan


def smaller(plan: Plan) -> Plan | None:
    """With the next smaller preset, where there is one."""
    preset = presets.stepped_down(plan.preset)
    return replace(plan, preset=preset) if preset else None


def files_of(model: Model) -> ModelFiles:
    sha256 = (model.checkpoint_hash or "").removeprefix("sha256:")
    if model.kind == SDXL_DIFFUSERS:
        return ModelFiles(str(model.folder), "diffusers", sha256)
    return ModelFiles(str(_checkpoint(model, sha256)), "single-file", sha256)


def _checkpoint(model: Model, sha256: str) -> Path:
    """The file whose digest the model goes by."""
    for file in model.files:
        if file.sha256 == sha256:
            return model.folder / file.path
    raise AttemptFailed("invalid_model", f"{model} does not say which of its files is the model.")


def _preset(wanted: str | None, total_bytes: int) -> Preset:
    preset = presets.PRESETS[wanted] if wanted else presets.for_memory(total_bytes)
    return presets.with_parallel(preset, settings.BATCH_PARALLEL)


def _check_room(params: Mapping[str, Any], plan: Plan, total_bytes: int) -> None:
    width, height = params["width"], params["height"]
    if presets.needed_bytes(width, height, plan.settings) <= total_bytes:
        return
    fit = presets.nearest_fit(width, height, plan.preset, total_bytes)
    hint = f" Nearest that fits: {fit.told}." if fit else ""
    raise AttemptFailed("oom", f"{width}x{height} does not fit on this device.{hint}")
