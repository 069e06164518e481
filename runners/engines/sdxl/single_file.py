"""Checkpoints in the original layout: one file that holds everything but its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import StableDiffusionXLPipeline

from runners.engines.base import Tell, unheard
from runners.engines.sdxl import clip_tokens, parts, schedulers, settings, weights
from runners.engines.sdxl.parts import Parts
from runners.engines.sdxl.weights import Header
from runners.errors import InvalidModel

CONFIGS = Path(__file__).parent / "configs"
FIRST_LAYER = "model.diffusion_model.input_blocks.0.0.weight"
# By what a file holds; the first that fits names it.
OTHERS = (
    ("a LoRA, which only changes another model", ("lora_", "lycoris_")),
    ("a Stable Diffusion 1 checkpoint", ("cond_stage_model.transformer.",)),
    ("a Stable Diffusion 2 checkpoint", ("cond_stage_model.model.",)),
    ("the SDXL refiner", ("conditioner.embedders.0.model.",)),
    ("a Stable Diffusion 3 checkpoint", ("model.diffusion_model.joint_blocks.", "joint_blocks.")),
    ("a Flux checkpoint", ("model.diffusion_model.double_blocks.", "double_blocks.")),
)
NEEDED = {
    "unet": (FIRST_LAYER,),
    "text_encoder": ("conditioner.embedders.0.transformer.text_model.",),
    "text_encoder_2": ("conditioner.embedders.1.model.",),
    "vae": ("first_stage_model.decoder.", "vae.decoder."),
}
# Empty tensors by which a checkpoint says how it was trained.
V_PREDICTION, ZERO_SNR = "v_pred", "ztsnr"
EDM = ("edm_vpred.", "edm_mean", "edm_std")
PREDICTION = "modelspec.prediction_type"


def read(path: Path, config: Path | None, tell: Tell = unheard) -> Parts:
    """`config`: a folder that says what the file does not, where it is not the usual."""
    header = weights.read(path)
    check(path.name, header)
    config = config or CONFIGS
    trained = trained_as(header, settings.read(config / schedulers.CONFIG))
    pipe = StableDiffusionXLPipeline.from_single_file(
        str(path),
        config=str(config),
        local_files_only=True,
        dtype=parts.stored_as(header.tensors[FIRST_LAYER].dtype),
        scheduler=schedulers.make("euler", trained, 1),
        **_tokenizers(config),
        add_watermarker=False,
    )
    tell(1.0)  # one call, which says nothing on its way
    return Parts(pipe, trained)


def check(name: str, header: Header) -> None:
    """InvalidModel says what it is instead, or what it lacks."""
    for told, prefixes in OTHERS:
        if header.has(*prefixes):
            message = f"{name} is {told}, not a whole SDXL model."
            raise InvalidModel(message, reason="architecture")
    for part, needed in NEEDED.items():
        if not header.has(*needed):
            raise InvalidModel(f"{parts.TOLD[part]} is missing from {name}.", reason="incomplete")
    if header.has(*EDM):
        message = f"{name} was trained with a noise schedule (EDM) that is not known here."
        raise InvalidModel(message, reason="architecture")
    shape = header.tensors[FIRST_LAYER].shape
    if len(shape) != 4:
        raise InvalidModel(f"{name} is damaged: install it again.", reason="damaged")
    parts.check_channels(shape[1])


def trained_as(header: Header, configured: Mapping[str, Any]) -> Mapping[str, Any]:
    """As the configuration says, unless the file says otherwise of itself."""
    own = dict(configured)
    if V_PREDICTION in header.tensors or header.metadata.get(PREDICTION) == "v":
        own |= schedulers.V_PREDICTION
    if ZERO_SNR in header.tensors:
        own |= schedulers.ZERO_SNR
    return schedulers.trained_as(own)


def _tokenizers(config: Path) -> dict[str, Any]:
    if config == CONFIGS:
        return {"tokenizer": clip_tokens.first(), "tokenizer_2": clip_tokens.second()}
    return {name: clip_tokens.read(config / name) for name in ("tokenizer", "tokenizer_2")}
