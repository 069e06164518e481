"""SDXL models made on the spot, of random weights: real structure, real code, no picture.

The tiny one has the blocks of the real one with few channels, and a tokenizer of single bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from runners.engines.sdxl import clip_tokens, schedulers
from runners.engines.sdxl.single_file import CONFIGS
from tests.runners.engines.sdxl import original_layout

Config = dict[str, Any]
SEED = 20_251
WORDS = 80  # 32 + 48: what both text encoders say of a token
# What differs from the real one.
TINY: Mapping[str, Config] = {
    "unet": {
        "block_out_channels": [8, 16, 32],
        "attention_head_dim": [1, 2, 4],
        "transformer_layers_per_block": [1, 1, 2],
        "addition_time_embed_dim": 8,
        "cross_attention_dim": WORDS,
        "projection_class_embeddings_input_dim": 48 + 6 * 8,
        "norm_num_groups": 4,
        "sample_size": 8,
    },
    "vae": {
        "block_out_channels": [8, 8, 16, 16],
        "norm_num_groups": 4,
        "sample_size": 64,
    },
    "text_encoder": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "projection_dim": 32,
    },
    # Fewer than ten layers would not be taken for the second encoder of SDXL.
    "text_encoder_2": {
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_attention_heads": 2,
        "num_hidden_layers": 10,
        "projection_dim": 48,
    },
}
FULL: Mapping[str, Config] = {name: {} for name in TINY}


def tiny() -> StableDiffusionXLPipeline:
    first, second = _byte_tokenizers()
    return _pipeline(TINY, first, second, torch.float32, "cpu")


def full(dtype: torch.dtype, device: str) -> StableDiffusionXLPipeline:
    """As large as the real one: 6.5 GiB in half precision, made on the device itself."""
    return _pipeline(FULL, clip_tokens.first(), clip_tokens.second(), dtype, device)


def save_folder(pipe: StableDiffusionXLPipeline, folder: Path, **options: Any) -> Path:
    """As diffusers keeps it."""
    pipe.save_pretrained(folder, safe_serialization=True, **options)
    return folder


def save_single_file(
    pipe: StableDiffusionXLPipeline,
    file: Path,
    *,
    extra: Mapping[str, torch.Tensor] | None = None,
    without: tuple[str, ...] = (),
    metadata: dict[str, str] | None = None,
) -> Path:
    """As checkpoints travel, with `extra` tensors, and none that begins as in `without`."""
    tensors = {**original_layout.tensors(pipe), **(extra or {})}
    kept = {key: value for key, value in tensors.items() if not key.startswith(without or ("\0",))}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, file, metadata=metadata)
    return file


def config(name: str, changes: Mapping[str, Config] = TINY) -> Config:
    real: Config = json.loads((CONFIGS / name / "config.json").read_text())
    return {**real, **changes[name]}


def _pipeline(
    changes: Mapping[str, Config],
    first: CLIPTokenizer,
    second: CLIPTokenizer,
    dtype: torch.dtype,
    device: str,
) -> StableDiffusionXLPipeline:
    torch.manual_seed(SEED)
    made: dict[str, Any] = {}
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            made["unet"] = UNet2DConditionModel.from_config(config("unet", changes))
            made["vae"] = AutoencoderKL.from_config(config("vae", changes))
            for name, cls in (
                ("text_encoder", CLIPTextModel),
                ("text_encoder_2", CLIPTextModelWithProjection),
            ):
                settings = {**config(name, changes), "vocab_size": len(first)}
                made[name] = cls(CLIPTextConfig(**settings)).eval()
    finally:
        torch.set_default_dtype(before)
    return StableDiffusionXLPipeline(
        **made,
        tokenizer=first,
        tokenizer_2=second,
        scheduler=schedulers.make("euler", schedulers.BASE, 1),
        add_watermarker=False,
    )


def _byte_tokenizers() -> tuple[CLIPTokenizer, CLIPTokenizer]:
    """Each byte is a token, and any text can be read."""
    symbols = clip_tokens.byte_symbols()
    words = [*symbols, *(symbol + clip_tokens.WORD_END for symbol in symbols)]
    words += [clip_tokens.START, clip_tokens.END]
    numbered = {word: number for number, word in enumerate(words)}
    first, second = (
        CLIPTokenizer(vocab=numbered, merges=[], pad_token=filler, model_max_length=77)
        for filler in (clip_tokens.END, "!")
    )
    return first, second
