"""One pass: noise, steps, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from runners.engines.base import Picture, Seeded, Watching
from runners.engines.sdxl import schedulers
from runners.engines.sdxl.prompts import Encoded
from runners.errors import InvalidInput, RunnerError
from runners.protocol import Draw


def draw(
    pipe: StableDiffusionXLPipeline,
    trained: Mapping[str, Any],
    request: Draw,
    items: Sequence[Seeded],
    encoded: Encoded,
    watching: Watching,
) -> list[Picture]:
    """Each item with a generator of its own, so that it is the same image alone or with others."""
    _check_size(request, pipe.vae_scale_factor)
    pipe.scheduler = schedulers.make(request.scheduler, trained, request.steps)
    try:
        latents = _sampled(pipe, request, items, encoded, watching)
        return [
            _picture(pipe, latents[at : at + 1], item, watching) for at, item in enumerate(items)
        ]
    finally:
        pipe.maybe_free_model_hooks()


def _check_size(request: Draw, factor: int) -> None:
    for side in (request.width, request.height):
        if side < factor or side % factor:
            raise InvalidInput(f"{side} pixels: a side is a multiple of {factor}.")


def _sampled(
    pipe: StableDiffusionXLPipeline,
    request: Draw,
    items: Sequence[Seeded],
    encoded: Encoded,
    watching: Watching,
) -> torch.Tensor:
    def stepped(_pipe: Any, at: int, _time: Any, _tensors: Any) -> dict[str, Any]:
        for item in items:
            watching.step(item.index, at + 1, pipe.num_timesteps)
        return {}

    # On the CPU always: other devices make other numbers of the same seed.
    generators = [torch.Generator("cpu").manual_seed(item.seed) for item in items]
    sampled: torch.Tensor = pipe(
        height=request.height,
        width=request.width,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance,
        latents=_noise(pipe, request, generators),
        generator=generators,
        output_type="latent",
        callback_on_step_end=stepped,
        callback_on_step_end_tensor_inputs=[],
        **_conditions(encoded, len(items)),
    ).images
    _check_finite(sampled)
    return sampled


def _conditions(encoded: Encoded, count: int) -> dict[str, torch.Tensor | None]:
    def repeated(one: torch.Tensor | None) -> torch.Tensor | None:
        return None if one is None else one.expand(count, *one.shape[1:])

    return {
        "prompt_embeds": repeated(encoded.prompt),
        "pooled_prompt_embeds": repeated(encoded.prompt_summary),
        "negative_prompt_embeds": repeated(encoded.negative),
        "negative_pooled_prompt_embeds": repeated(encoded.negative_summary),
    }


def _noise(
    pipe: StableDiffusionXLPipeline, request: Draw, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    factor = pipe.vae_scale_factor
    shape = (1, pipe.unet.config.in_channels, request.height // factor, request.width // factor)
    drawn = [torch.randn(shape, generator=each, dtype=torch.float32) for each in generators]
    return torch.cat(drawn).to(pipe._execution_device, pipe.unet.dtype)


@torch.no_grad()
def _picture(
    pipe: StableDiffusionXLPipeline, latent: torch.Tensor, item: Seeded, watching: Watching
) -> Picture:
    watching.finalizing(item.index)
    vae = pipe.vae
    image = vae.decode(_as_decoded(vae.config, latent).to(vae.dtype), return_dict=False)[0][0]
    _check_finite(image)
    values = (image.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    rows = values.permute(1, 2, 0).contiguous().cpu()
    return Picture(rows.shape[1], rows.shape[0], rows.numpy().tobytes())


def _as_decoded(config: Any, latent: torch.Tensor) -> torch.Tensor:
    """In the scale that the VAE knows."""
    mean, deviation = (getattr(config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is None or deviation is None:
        return latent / config.scaling_factor
    by_channel = latent.new_tensor([deviation, mean]).view(2, 1, -1, 1, 1)
    return latent * by_channel[0] / config.scaling_factor + by_channel[1]


def _check_finite(tensor: torch.Tensor) -> None:
    if not bool(torch.isfinite(tensor).all()):
        raise RunnerError(
            "provider_error",
            "The model gave something that is no picture (not a number). "
            "Try another precision, a scheduler or less guidance.",
            reason="nan_output",
        )
