"""A ready-made repository in the layout of diffusers: SDXL in parts, each with its config."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.hubs import models
from tests.hubs.content import Content, InMemory

Folder = dict[str, Content]

PARTS: Mapping[str, tuple[str, models.Shapes]] = {
    "text_encoder": ("model", models.TEXT_ENCODER),
    "text_encoder_2": ("model", models.TEXT_ENCODER_2),
    "unet": ("diffusion_pytorch_model", models.DIFFUSERS_UNET),
    "vae": ("diffusion_pytorch_model", models.VAE),
}
CONFIGS: Mapping[str, Mapping[str, object]] = {
    "model_index.json": {
        "_class_name": "StableDiffusionXLPipeline",
        "_diffusers_version": "0.30.0",
        "force_zeros_for_empty_prompt": True,
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    },
    "scheduler/scheduler_config.json": {
        "_class_name": "EulerDiscreteScheduler",
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "num_train_timesteps": 1000,
        "prediction_type": "epsilon",
    },
    "text_encoder/config.json": {
        "architectures": ["CLIPTextModel"],
        "hidden_size": 768,
        "model_type": "clip_text_model",
        "vocab_size": 8,
    },
    "text_encoder_2/config.json": {
        "architectures": ["CLIPTextModelWithProjection"],
        "hidden_size": 1280,
        "model_type": "clip_text_model",
        "vocab_size": 8,
    },
    "unet/config.json": {
        "_class_name": "UNet2DConditionModel",
        "addition_embed_type": "text_time",
        "cross_attention_dim": 2048,
        "in_channels": 4,
        "projection_class_embeddings_input_dim": 2816,
        "sample_size": 128,
    },
    "vae/config.json": {
        "_class_name": "AutoencoderKL",
        "latent_channels": 4,
        "sample_size": 1024,
        "scaling_factor": 0.13025,
    },
}
TOKENIZER: Mapping[str, object] = {
    "tokenizer_config.json": {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer"},
    "special_tokens_map.json": {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"},
    "vocab.json": {"a": 0, "b</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3},
}
CARD = "---\nlicense: openrail++\nlibrary_name: diffusers\n---\n# A small model for tests\n"


def sdxl(
    *,
    variants: tuple[str, ...] = (),
    duplicates: bool = False,
    single_file: bool = False,
    sharded_unet: bool = False,
    unet_size: int | None = None,
    seed: int = 0,
) -> Folder:
    """What a download takes, and what it should leave: `variants` ("fp16") of all weights,
    `duplicates` in other formats (bin, onnx, flax, openvino), a `single_file` checkpoint at the
    top. `sharded_unet` puts the unet into two files with an index."""
    folder = _configurations()
    for number, (part, (stem, shapes)) in enumerate(PARTS.items()):
        size = unet_size if part == "unet" else None
        weights = models.safetensors(shapes, dtype="F32", size=size, seed=seed + number)
        folder[f"{part}/{stem}.safetensors"] = weights
        for variant in variants:
            half = models.safetensors(shapes, size=size and size // 2, seed=seed + number)
            folder[f"{part}/{stem}.{variant}.safetensors"] = half
        if duplicates:
            folder |= _other_formats(part, stem)
    if sharded_unet:
        folder |= _shards(folder, seed)
    if single_file:
        folder["sdxl_tiny_1.0.safetensors"] = models.sdxl_checkpoint(seed=seed)
    return folder


def _configurations() -> Folder:
    texts = {path: json.dumps(config, indent=2) + "\n" for path, config in CONFIGS.items()}
    texts["README.md"] = CARD
    for tokenizer in ("tokenizer", "tokenizer_2"):
        texts |= {f"{tokenizer}/{name}": json.dumps(words) for name, words in TOKENIZER.items()}
        texts[f"{tokenizer}/merges.txt"] = "#version: 0.2\na b</w>\n"
    return {path: InMemory(text.encode()) for path, text in texts.items()}


def _other_formats(part: str, stem: str) -> Folder:
    flax = "flax_model" if stem == "model" else "diffusion_flax_model"
    torch = "pytorch_model" if stem == "model" else stem
    names = (f"{torch}.bin", "model.onnx", f"{flax}.msgpack", "openvino_model.bin")
    return {f"{part}/{name}": InMemory(f"{part} as {name}".encode()) for name in names}


def _shards(folder: Folder, seed: int) -> Folder:
    stem, shapes = PARTS["unet"]
    del folder[f"unet/{stem}.safetensors"]
    names = [f"{stem}-0000{number}-of-00002.safetensors" for number in (1, 2)]
    tensors = list(shapes)
    where = {name: names[place * 2 // len(tensors)] for place, name in enumerate(tensors)}
    index = {"metadata": {"total_size": 0}, "weight_map": where}
    made: Folder = {
        f"unet/{shard}": models.safetensors(
            {name: shapes[name] for name in tensors if where[name] == shard},
            dtype="F32",
            seed=seed + place,
        )
        for place, shard in enumerate(names)
    }
    return made | {f"unet/{stem}.safetensors.index.json": InMemory(json.dumps(index).encode())}
