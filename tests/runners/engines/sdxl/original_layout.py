"""From the parts of a diffusers SDXL to the names of the original checkpoints: the way back from
what reading a single file does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch

Tensors = dict[str, torch.Tensor]
Rules = Iterable[tuple[str, str]]

UNET: Rules = (
    (r"^conv_in\.", "input_blocks.0.0."),
    (r"^time_embedding\.linear_1\.", "time_embed.0."),
    (r"^time_embedding\.linear_2\.", "time_embed.2."),
    (r"^add_embedding\.linear_1\.", "label_emb.0.0."),
    (r"^add_embedding\.linear_2\.", "label_emb.0.2."),
    (r"^conv_norm_out\.", "out.0."),
    (r"^conv_out\.", "out.2."),
    (r"^mid_block\.resnets\.0\.", "middle_block.0."),
    (r"^mid_block\.attentions\.0\.", "middle_block.1."),
    (r"^mid_block\.resnets\.1\.", "middle_block.2."),
)
RESNET: Rules = (
    (r"\.norm1\.", ".in_layers.0."),
    (r"\.conv1\.", ".in_layers.2."),
    (r"\.time_emb_proj\.", ".emb_layers.1."),
    (r"\.norm2\.", ".out_layers.0."),
    (r"\.conv2\.", ".out_layers.3."),
    (r"\.conv_shortcut\.", ".skip_connection."),
)
VAE: Rules = (
    (r"\.conv_shortcut\.", ".nin_shortcut."),
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."),
    (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.", ".mid.attn_1."),
    (r"\.group_norm\.", ".norm."),
    (r"\.to_q\.", ".q."),
    (r"\.to_k\.", ".k."),
    (r"\.to_v\.", ".v."),
    (r"\.to_out\.0\.", ".proj_out."),
    (r"\.conv_norm_out\.", ".norm_out."),
    (r"^(encoder)\.down_blocks\.(\d)\.resnets\.", r"\1.down.\2.block."),
    (r"^(encoder)\.down_blocks\.(\d)\.downsamplers\.0\.", r"\1.down.\2.downsample."),
)
OPEN_CLIP: Rules = (
    (r"^text_model\.", ""),
    (r"^embeddings\.token_embedding\.weight$", "token_embedding.weight"),
    (r"^embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^final_layer_norm\.", "ln_final."),
    (r"^encoder\.layers\.", "transformer.resblocks."),
    (r"\.layer_norm1\.", ".ln_1."),
    (r"\.layer_norm2\.", ".ln_2."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
)
UNET_BLOCK = re.compile(r"^(down|up)_blocks\.(\d)\.(resnets|attentions|\w+samplers)\.(\d)\.(.*)$")
VAE_UP = re.compile(r"^decoder\.up_blocks\.(\d)\.(resnets|upsamplers)\.(\d)\.(.*)$")
IN_PROJ = re.compile(r"^(.*)\.self_attn\.([qkv])_proj\.(weight|bias)$")
LAYERS = 2  # resnets in a block on the way down; one more on the way up


def tensors(pipe: Any) -> Tensors:
    """Of the whole pipeline, under the prefixes of an SDXL checkpoint."""
    named = {
        "model.diffusion_model.": _unet(pipe.unet),
        "first_stage_model.": _vae(pipe.vae),
        "conditioner.embedders.0.transformer.text_model.": _clip(pipe.text_encoder),
        "conditioner.embedders.1.model.": _open_clip(pipe.text_encoder_2),
    }
    return {
        prefix + key: value.contiguous().clone()
        for prefix, part in named.items()
        for key, value in part.items()
    }


def _ruled(key: str, rules: Rules) -> str:
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def _unet(unet: Any) -> Tensors:
    has_attention = {
        way: [hasattr(block, "attentions") for block in blocks]
        for way, blocks in (("down", unet.down_blocks), ("up", unet.up_blocks))
    }
    return {
        _ruled(_unet_block(_unet_inside(key), has_attention), UNET): value
        for key, value in unet.state_dict().items()
    }


def _unet_inside(key: str) -> str:
    """Transformers keep their names."""
    return _ruled(key, RESNET) if ".resnets." in key else key


def _unet_block(key: str, has_attention: dict[str, list[bool]]) -> str:
    found = UNET_BLOCK.match(key)
    if found is None:
        return key
    way, block, what, at, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if what == "downsamplers":
        return f"input_blocks.{(LAYERS + 1) * (block + 1)}.0.{rest.replace('conv.', 'op.')}"
    if what == "upsamplers":
        place = 2 if has_attention["up"][block] else 1
        return f"output_blocks.{(LAYERS + 1) * block + LAYERS}.{place}.{rest}"
    number = (LAYERS + 1) * block + at + (1 if way == "down" else 0)
    side = "input" if way == "down" else "output"
    return f"{side}_blocks.{number}.{0 if what == 'resnets' else 1}.{rest}"


def _vae(vae: Any) -> Tensors:
    blocks = len(vae.config.block_out_channels)
    return dict(_vae_tensor(key, value, blocks) for key, value in vae.state_dict().items())


def _vae_tensor(key: str, value: torch.Tensor, blocks: int) -> tuple[str, torch.Tensor]:
    found = VAE_UP.match(key)
    if found is not None:  # counted from the picture, not from the latents
        block = blocks - 1 - int(found[1])
        inner = f"block.{found[3]}" if found[2] == "resnets" else "upsample"
        key = f"decoder.up.{block}.{inner}.{found[4]}"
    key = _ruled(key, VAE)
    is_attention = ".attn_1." in key and ".norm." not in key
    return key, value[:, :, None, None] if is_attention and value.ndim == 2 else value


def _clip(encoder: Any) -> Tensors:
    return {key.removeprefix("text_model."): value for key, value in encoder.state_dict().items()}


def _open_clip(encoder: Any) -> Tensors:
    state = encoder.state_dict()
    plain = {
        _ruled(key, OPEN_CLIP): value
        for key, value in state.items()
        if not IN_PROJ.match(key) and key != "text_projection.weight"
    }
    joined = dict(_in_projections(state))
    return {**plain, **joined, "text_projection": state["text_projection.weight"].T}


def _in_projections(state: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    """Queries, keys and values in one."""
    for key in state:
        found = IN_PROJ.match(key)
        if found is not None and found[2] == "q":
            parts = [state[f"{found[1]}.self_attn.{part}_proj.{found[3]}"] for part in "qkv"]
            layer = _ruled(found[1] + ".", OPEN_CLIP).removesuffix(".")
            yield f"{layer}.attn.in_proj_{found[3]}", torch.cat(parts)
