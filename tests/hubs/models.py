"""Ready-made model files: the real names of tensors, tiny shapes, bytes that mean nothing.

The dimensions by which kinds of models are told apart (2048 and 2816 for SDXL, 768 for SD 1.5) are
the real ones. With `size` a file grows by one tensor to about that size, without memory.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.hubs.content import Content, Generated, InMemory, Joined

Shapes = Mapping[str, tuple[int, ...]]

WIDTH = {"F16": 2, "BF16": 2, "F32": 4, "U8": 1, "I64": 8}
IN_MEMORY_BELOW = 1 << 24

UNET = "model.diffusion_model"
SDXL_CHECKPOINT: Shapes = {
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (8, 768),
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (768,),
    "conditioner.embedders.1.model.ln_final.weight": (1280,),
    "conditioner.embedders.1.model.text_projection": (8, 1280),
    "first_stage_model.decoder.conv_in.weight": (8, 4, 3, 3),
    "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
    "first_stage_model.quant_conv.weight": (8, 8, 1, 1),
    f"{UNET}.input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (8, 2048),
    f"{UNET}.label_emb.0.0.weight": (8, 2816),
    f"{UNET}.out.2.weight": (4, 320, 3, 3),
}
SD15_CHECKPOINT: Shapes = {
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (8, 768),
    "first_stage_model.decoder.conv_in.weight": (8, 4, 3, 3),
    f"{UNET}.input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 768),
    f"{UNET}.out.2.weight": (4, 320, 3, 3),
}
ATTENTION = "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
KOHYA_LORA: Shapes = {
    f"lora_unet_{ATTENTION}.lora_down.weight": (4, 2048),
    f"lora_unet_{ATTENTION}.lora_up.weight": (640, 4),
    f"lora_unet_{ATTENTION}.alpha": (),
    "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 768),
    "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": (3072, 4),
    "lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha": (),
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1280),
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": (5120, 4),
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha": (),
}
PEFT_ATTENTION = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
PEFT_LORA: Shapes = {
    f"{PEFT_ATTENTION}.lora_A.weight": (4, 2048),
    f"{PEFT_ATTENTION}.lora_B.weight": (640, 4),
}
VAE: Shapes = {
    "decoder.conv_in.weight": (512, 4, 3, 3),
    "decoder.conv_out.weight": (3, 128, 3, 3),
    "encoder.conv_in.weight": (128, 3, 3, 3),
    "post_quant_conv.weight": (4, 4, 1, 1),
    "quant_conv.weight": (8, 8, 1, 1),
}
EMBEDDING: Shapes = {"clip_g": (4, 1280), "clip_l": (4, 768)}
UPSCALER: Shapes = {
    "conv_first.weight": (64, 3, 3, 3),
    "body.0.rdb1.conv1.weight": (32, 64, 3, 3),
    "conv_up1.weight": (64, 64, 3, 3),
    "conv_last.weight": (3, 64, 3, 3),
}
DIFFUSERS_UNET: Shapes = {
    "conv_in.weight": (320, 4, 3, 3),
    "add_embedding.linear_1.weight": (8, 2816),
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": (8, 2048),
    "conv_out.weight": (4, 320, 3, 3),
}
TEXT_ENCODER: Shapes = {
    "text_model.embeddings.token_embedding.weight": (8, 768),
    "text_model.final_layer_norm.weight": (768,),
}
TEXT_ENCODER_2: Shapes = {
    "text_model.embeddings.token_embedding.weight": (8, 1280),
    "text_model.final_layer_norm.weight": (1280,),
    "text_projection.weight": (8, 1280),
}
FILLER = "filler.weight"


def safetensors(
    shapes: Shapes,
    *,
    dtype: str = "F16",
    metadata: Mapping[str, str] | None = None,
    size: int | None = None,
    seed: int = 0,
) -> Content:
    """A valid file with these tensors, one behind the other in this order."""
    needed = sum(_bytes(shape, dtype) for shape in shapes.values())
    filler = max(0, (size or 0) - needed) // WIDTH[dtype]
    tensors = {**shapes, FILLER: (filler,)} if filler else dict(shapes)
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in tensors.items():
        begin, end = end, end + _bytes(shape, dtype)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    front = struct.pack("<Q", len(words)) + words
    content = Joined(InMemory(front), Generated(end, seed))
    return InMemory(content.read()) if content.size < IN_MEMORY_BELOW else content


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    return math.prod(shape) * WIDTH[dtype]


def sdxl_checkpoint(*, size: int | None = None, seed: int = 0) -> Content:
    """One file that holds all of SDXL."""
    return safetensors(SDXL_CHECKPOINT, size=size, seed=seed)


def sd15_checkpoint(*, size: int | None = None, seed: int = 0) -> Content:
    return safetensors(SD15_CHECKPOINT, size=size, seed=seed)


def lora(*, peft: bool = False, size: int | None = None, seed: int = 0) -> Content:
    """A LoRA for SDXL, as kohya's scripts or as PEFT write it."""
    if peft:
        return safetensors(PEFT_LORA, size=size, seed=seed)
    about = {
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_network_module": "networks.lora",
        "ss_network_dim": "4",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
    }
    return safetensors(KOHYA_LORA, metadata=about, size=size, seed=seed)


def vae(*, size: int | None = None, seed: int = 0) -> Content:
    return safetensors(VAE, dtype="F32", size=size, seed=seed)


def embedding(*, seed: int = 0) -> Content:
    """A textual inversion for both text encoders of SDXL."""
    return safetensors(EMBEDDING, dtype="F32", seed=seed)


def upscaler(*, seed: int = 0) -> Content:
    return safetensors(UPSCALER, dtype="F32", seed=seed)


# What must never be opened


class _Trap:
    """Whoever unpickles it makes the canary file."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._canary), "w")


def trapped_pickle(canary: Path) -> bytes:
    """An old-style `.ckpt`."""
    return pickle.dumps(_Trap(canary), protocol=2)


def trapped_archive(canary: Path) -> bytes:
    """A `.pt` as torch writes it: a zip with a pickle inside."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), trapped_pickle(canary))
        archive.writestr(zipfile.ZipInfo("archive/version"), "3\n")
    return written.getvalue()
