"""Where a model's parts live and in which precision, as its settings and the device say."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from runners.engines.base import Say, Tell, unheard
from runners.errors import InvalidInput, RunnerError
from runners.protocol import EngineSettings

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
OFFLOADS = ("none", "model", "sequential")
ATTENTIONS = ("auto", "sliced")
PARTS = ("text_encoder", "text_encoder_2", "unet", "vae")
# Of the image that the VAE decodes at once: a quarter of its area.
TILE_PART = 2


def device_of(name: str) -> torch.device:
    """RunnerError: torch cannot use it."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise RunnerError("internal", f"There is no device {name!r}.", reason="device") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        message = f"PyTorch {torch.__version__} cannot use {name}: check the driver and the build."
        raise RunnerError("provider_error", message, reason="device")
    return device


def check(settings: EngineSettings) -> None:
    """InvalidInput names the first setting that nothing is known of."""
    for name, value, known in (
        ("dtype", settings.dtype, ("auto", *DTYPES)),
        ("offload", settings.offload, OFFLOADS),
        ("attention", settings.attention, ATTENTIONS),
    ):
        if value not in known:
            raise InvalidInput(f"{name} {value!r} is not known; known: {', '.join(known)}.")


def dtype_of(wanted: str, stored: torch.dtype, device: torch.device) -> torch.dtype:
    """What to compute in; `auto`: single precision on a CPU, on a GPU half of the file's sort."""
    if wanted != "auto":
        return DTYPES[wanted]
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if stored == torch.bfloat16 and _knows_bf16(device) else torch.float16


def vae_dtype(running: torch.dtype, device: torch.device, *, overflows: bool) -> torch.dtype:
    """The usual VAE of SDXL leaves the range of fp16; bf16 has that of fp32."""
    if running != torch.float16 or not overflows:
        return running
    return torch.bfloat16 if _knows_bf16(device) else torch.float32


def place(
    pipe: StableDiffusionXLPipeline,
    settings: EngineSettings,
    device: torch.device,
    say: Say,
    tell: Tell = unheard,
) -> None:
    """Ready to draw when this returns."""
    running = dtype_of(settings.dtype, pipe.unet.dtype, device)
    decoding = vae_dtype(running, device, overflows=bool(pipe.vae.config.force_upcast))
    offload = settings.offload if device.type == "cuda" else "none"
    for number, name in enumerate(PARTS, start=1):
        part = getattr(pipe, name)
        part.requires_grad_(False)
        _settle(part, decoding if name == "vae" else running, device if offload == "none" else None)
        tell(number / len(PARTS))
    if offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    _tune(pipe, settings, device)
    if settings.compile:
        _compile(pipe, offload, say)


def _settle(part: torch.nn.Module, dtype: torch.dtype, device: torch.device | None) -> None:
    """One tensor after the other, so that no part is in memory twice."""
    part.to(device=device, dtype=dtype)
    if device is not None and device.type == "cpu":
        # Mapped from a file, tensors begin anywhere, and the same sums end in other last digits
        # than with aligned ones.
        for tensor in [*part.parameters(), *part.buffers()]:
            tensor.data = tensor.data.clone()


def _tune(pipe: StableDiffusionXLPipeline, settings: EngineSettings, device: torch.device) -> None:
    if device.type == "cuda" and settings.offload != "sequential":
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    if settings.attention == "sliced":
        pipe.enable_attention_slicing()
    if settings.vae_slicing:
        pipe.vae.enable_slicing()
    if settings.vae_tiling:
        _tile(pipe.vae)


def _tile(vae: Any) -> None:
    vae.enable_tiling()
    vae.tile_sample_min_size = vae.config.sample_size // TILE_PART
    scale = 2 ** (len(vae.config.block_out_channels) - 1)
    vae.tile_latent_min_size = max(1, vae.tile_sample_min_size // scale)


def _compile(pipe: StableDiffusionXLPipeline, offload: str, say: Say) -> None:
    if offload == "sequential":
        say("warning", "not_compiled", "Layers that come and go cannot be compiled.")
        return
    say("info", "compiling", "The first image of each size waits for the compiler.")
    pipe.unet.compile_repeated_blocks(fullgraph=True)


def _knows_bf16(device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    return torch.cuda.get_device_capability(device) >= (8, 0)
