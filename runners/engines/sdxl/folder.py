"""Folders as diffusers writes them, part by part: nothing in them chooses what code is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from runners.engines.base import Tell, unheard
from runners.engines.sdxl import clip_tokens, parts, schedulers, settings, weights
from runners.engines.sdxl.parts import Parts
from runners.engines.sdxl.weights import Header
from runners.errors import InvalidModel

INDEX = "model_index.json"
PIPELINES = ("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline")
MODELS = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
}
TOKENIZERS = ("tokenizer", "tokenizer_2")
# Half precision first: half of it has to be read.
VARIANTS = ("fp16", "bf16", None)
STEMS = ("diffusion_pytorch_model", "model")
NOT_WEIGHTS = ("position_ids",)


def read(path: Path, _config: Path | None, tell: Tell = unheard) -> Parts:
    index = settings.read(path / INDEX)
    _check_pipeline(path.name, index)
    for name in (*MODELS, *TOKENIZERS, "scheduler"):
        _check_there(path, index, name)
    trained = schedulers.trained_as(settings.read(path / schedulers.CONFIG))
    made = {}
    for number, (name, cls) in enumerate(MODELS.items(), start=1):
        made[name] = _model(path / name, name, cls)
        tell(number / len(MODELS))
    parts.check_channels(int(made["unet"].config.in_channels))
    made |= {name: clip_tokens.read(path / name) for name in TOKENIZERS}
    scheduler = schedulers.make("euler", trained, 1)
    pipe = StableDiffusionXLPipeline(**made, scheduler=scheduler, add_watermarker=False)
    return Parts(pipe, trained)


def _check_pipeline(name: str, index: Mapping[str, Any]) -> None:
    pipeline = index.get("_class_name")
    if pipeline not in PIPELINES:
        raise InvalidModel(f"{name} is a {pipeline}, not an SDXL model.", reason="architecture")


def _check_there(path: Path, index: Mapping[str, Any], name: str) -> None:
    entry = index.get(name)
    if not isinstance(entry, list) or entry == [None, None] or not (path / name).is_dir():
        raise InvalidModel(f"{parts.TOLD[name]} is missing from {path.name}.", reason="incomplete")


def _model(folder: Path, name: str, cls: Any) -> Any:
    dtype, variant = _weights(folder, name)
    model, info = cls.from_pretrained(
        str(folder),
        variant=variant,
        dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    missing = [key for key in info["missing_keys"] if not key.endswith(NOT_WEIGHTS)]
    if missing:
        raise parts.incomplete(name, missing)
    return model.eval()


def _weights(folder: Path, name: str) -> tuple[torch.dtype, str | None]:
    """How a part's weights are stored, and the variant to read; its files are whole."""
    for variant in VARIANTS:
        files = _files(folder, variant)
        headers = [weights.read(file) for file in files]
        if headers:
            return _stored_as(headers[0]), variant
    message = f"{parts.TOLD[name]} is incomplete: no {weights.SUFFIX} file in {folder.name}."
    raise InvalidModel(message, reason="incomplete")


def _files(folder: Path, variant: str | None) -> list[Path]:
    """Whole, or in shards."""
    infix = f".{variant}" if variant else ""
    for stem in STEMS:
        whole = folder / f"{stem}{infix}{weights.SUFFIX}"
        found = [whole] if whole.exists() else sorted(folder.glob(f"{stem}{infix}-*-of-*"))
        if found:
            return found
    return []


def _stored_as(header: Header) -> torch.dtype:
    dtypes = [tensor.dtype for tensor in header.tensors.values()]
    # A few integers (positions) do not say how the weights are kept.
    return parts.stored_as(max(set(dtypes), key=dtypes.count, default="F32"))
