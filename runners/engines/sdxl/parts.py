"""What both ways of reading a model have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from runners.errors import InvalidModel

TOLD = {
    "unet": "The UNet",
    "vae": "The VAE",
    "text_encoder": "The first text encoder",
    "text_encoder_2": "The second text encoder",
    "tokenizer": "The first tokenizer",
    "tokenizer_2": "The second tokenizer",
    "scheduler": "The scheduler",
}
STORED = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}
# Of the UNet's first layer: more than the four of an image are masks or pictures to start from.
LATENT_CHANNELS = 4


@dataclass(frozen=True)
class Parts:
    """A model; `trained` is what each of its schedulers starts from."""

    pipe: StableDiffusionXLPipeline
    trained: Mapping[str, Any]


def stored_as(dtype: str) -> torch.dtype:
    """What to hold a file's weights in: as they are, and rarer ones in half precision."""
    return STORED.get(dtype, torch.float16)


def check_channels(count: int) -> None:
    if count != LATENT_CHANNELS:
        raise InvalidModel(
            f"The UNet takes {count} channels, not {LATENT_CHANNELS}: the model changes pictures "
            "(inpainting, editing) and does not draw from words alone.",
            reason="architecture",
        )


def incomplete(name: str, missing: Sequence[str]) -> InvalidModel:
    return InvalidModel(
        f"{TOLD[name]} is incomplete: {len(missing)} tensors are missing, such as {missing[0]}.",
        reason="incomplete",
    )
