"""Schedulers by the names of the API.

Each is made anew for every pass, and never from one that was in use: settings of one would stick to
the next. Of a checkpoint's own settings only what it was trained with counts.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers

from runners.engines.sdxl import settings
from runners.errors import InvalidInput

CONFIG = Path("scheduler", "scheduler_config.json")
# Complete: what is absent from it would be another default in each class.
BASE = settings.read(Path(__file__).parent / "configs" / CONFIG)
TRAINED = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
    "timestep_spacing",
    "steps_offset",
)
V_PREDICTION = {"prediction_type": "v_prediction"}
# The noise goes all the way, so the steps must begin at the very end.
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


@dataclass(frozen=True)
class Kind:
    cls: str
    settings: Mapping[str, Any] = field(default_factory=dict)


KARRAS = {"use_karras_sigmas": True}
SDE = {"algorithm_type": "sde-dpmsolver++"}
EULER, MULTISTEP = "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"
SINGLESTEP, UNIPC = "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler"
KDPM2, KDPM2_A = "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler"

KINDS: Mapping[str, Kind] = {
    "euler": Kind(EULER),
    "euler_karras": Kind(EULER, KARRAS),
    "euler_a": Kind("EulerAncestralDiscreteScheduler"),
    "heun": Kind("HeunDiscreteScheduler"),
    "ddim": Kind("DDIMScheduler"),
    "ddpm": Kind("DDPMScheduler"),
    "pndm": Kind("PNDMScheduler"),
    "dpm2": Kind(KDPM2),
    "dpm2_karras": Kind(KDPM2, KARRAS),
    "dpm2_a": Kind(KDPM2_A),
    "dpm2_a_karras": Kind(KDPM2_A, KARRAS),
    "dpmpp_2m": Kind(MULTISTEP),
    "dpmpp_2m_karras": Kind(MULTISTEP, KARRAS),
    "dpmpp_2m_exponential": Kind(MULTISTEP, {"use_exponential_sigmas": True}),
    "dpmpp_2m_sde": Kind(MULTISTEP, SDE),
    "dpmpp_2m_sde_karras": Kind(MULTISTEP, {**SDE, **KARRAS}),
    "dpmpp_sde": Kind(SINGLESTEP, SDE),
    "dpmpp_sde_karras": Kind(SINGLESTEP, {**SDE, **KARRAS}),
    "deis": Kind("DEISMultistepScheduler"),
    "unipc": Kind(UNIPC),
    "unipc_karras": Kind(UNIPC, KARRAS),
    "lcm": Kind("LCMScheduler"),
    "tcd": Kind("TCDScheduler"),
}


def trained_as(own: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a checkpoint that every scheduler of it starts from."""
    return {**BASE, **{name: own[name] for name in TRAINED if name in own}}


def ignored(name: str, trained: Mapping[str, Any]) -> tuple[str, ...]:
    """What the model was trained with, unlike the usual one, and this scheduler has no notion of:
    diffusers passes over it without a word."""
    known = inspect.signature(getattr(diffusers, KINDS[name].cls)).parameters
    unusual = [key for key in TRAINED if trained.get(key) and trained[key] != BASE.get(key)]
    return tuple(key for key in unusual if key not in known)


def warning(name: str, trained: Mapping[str, Any]) -> str:
    """For the log of a job; empty where there is nothing to say, or no such scheduler."""
    if name not in KINDS or not (lost := ignored(name, trained)):
        return ""
    able = ", ".join(other for other in KINDS if not ignored(other, trained))
    return f"{name} ignores {', '.join(lost)}, which the model was trained with. Able: {able}."


def make(name: str, trained: Mapping[str, Any], steps: int) -> Any:
    """InvalidInput: there is no such scheduler, or it cannot take so many steps."""
    kind = KINDS.get(name)
    if kind is None:
        raise InvalidInput(f"There is no scheduler {name!r}; known: {', '.join(KINDS)}.")
    if not 1 <= steps <= trained["num_train_timesteps"]:
        raise InvalidInput(f"{steps} steps: from 1 to {trained['num_train_timesteps']} are known.")
    cls = getattr(diffusers, kind.cls)
    # Distilled schedules take their steps from so many of the original ones.
    distilled = {"original_inference_steps": max(50, steps)} if name in ("lcm", "tcd") else {}
    return cls.from_config({**trained, **kind.settings, **distilled})
