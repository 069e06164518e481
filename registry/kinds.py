"""The kinds of models, and which one a set of files is: functions of names and shapes, no I/O.

A file's tensors are the best witness: their names differ between kinds, whatever the file is
called. Before the bytes are here the layout of the files speaks, and then what the source says.
Only SDXL is drawn, so a checkpoint of another family is `other`, whatever the source calls it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

SDXL_CHECKPOINT = "sdxl-checkpoint"
SDXL_DIFFUSERS = "sdxl-diffusers"
LORA = "lora"
VAE = "vae"
EMBEDDING = "embedding"
UPSCALER = "upscaler"
OTHER = "other"
KINDS = (SDXL_CHECKPOINT, SDXL_DIFFUSERS, LORA, VAE, EMBEDDING, UPSCALER, OTHER)
DRAWN = (SDXL_CHECKPOINT, SDXL_DIFFUSERS)  # what an image can be made with, by itself

LAYOUT_FILE = "model_index.json"
LATENT_CHANNELS = 4  # of a UNet that draws from noise; an inpainting one takes more
Shape = tuple[int, ...]
Tensors = Mapping[str, Shape]


@dataclass(frozen=True)
class FileFacts:
    """A file of a model. `text`: what a small file such as `model_index.json` says, if known."""

    path: str
    size: int | None = None
    text: str | None = None


def guess(
    hint: str | None, files: Sequence[FileFacts], tensors: Mapping[str, Mapping[str, Shape]]
) -> str:
    """`hint` is a kind as the source would have it, `tensors` the names and shapes of each file
    whose header has been read; without them the answer may change once the bytes are here."""
    layout = _layout(files)
    if layout is not None:
        return _of_diffusers(layout, files, tensors)
    found = {kind for named in tensors.values() if (kind := _of_tensors(named)) is not None}
    if found:
        return min(found, key=KINDS.index)
    hinted = hint if hint in KINDS else OTHER
    if hinted == SDXL_DIFFUSERS and files:
        return OTHER  # no layout was found
    if hinted == SDXL_CHECKPOINT and any(tensors.values()):
        return OTHER  # its tensors are not SDXL's
    return hinted


def _of_tensors(tensors: Tensors) -> str | None:
    for kind, matches in WITNESSES:
        if matches(tensors):
            return kind
    return None


def _is_sdxl_checkpoint(tensors: Tensors) -> bool:
    """The second text encoder, the denoiser and the VAE of SDXL in the original layout."""
    return (
        _any_starts(tensors, "conditioner.embedders.1.model.")
        and _any_starts(tensors, "model.diffusion_model.")
        and _any_starts(tensors, "first_stage_model.", "vae.")
        and _draws_from_noise(tensors.get("model.diffusion_model.input_blocks.0.0.weight"))
    )


def _is_whole_checkpoint(tensors: Tensors) -> bool:
    """Of another family (SD 1.5, 2, the SDXL refiner, an inpainting one), or a part of one."""
    return _any_starts(tensors, "model.diffusion_model.", "cond_stage_model.", "conditioner.")


LORA_PARTS = re.compile(
    r"\.(?:lora_(?:up|down|mid|A|B|linear_layer)|lora\.(?:up|down)"
    r"|hada_w[12]_[ab]|lokr_w[12](?:_[ab])?|oft_(?:diag|blocks)|dora_scale)(?:\.|$)"
)


def _is_lora(tensors: Tensors) -> bool:
    return any(LORA_PARTS.search(name) for name in tensors)


VAE_LANDMARKS = ("encoder.conv_in.weight", "decoder.conv_in.weight", "decoder.conv_out.weight")
VAE_PREFIXES = ("", "first_stage_model.", "vae.")
VAE_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.", "loss.", "model_ema.")


def _is_vae(tensors: Tensors) -> bool:
    """The whole file: a checkpoint holds a VAE too."""
    for prefix in VAE_PREFIXES:
        if all(prefix + name in tensors for name in VAE_LANDMARKS):
            parts = tuple(prefix + part for part in VAE_PARTS)
            return all(name.startswith(parts) for name in tensors)
    return False


EMBEDDING_NAMES = frozenset({"clip_g", "clip_l", "emb_params", "t5xxl"})
LARGEST_EMBEDDING = 8  # tensors


def _is_embedding(tensors: Tensors) -> bool:
    """For SDXL one vector a text encoder; diffusers saves a vector under the word it stands for."""
    names = set(tensors)
    if not names or len(names) > LARGEST_EMBEDDING:
        return False
    if names <= EMBEDDING_NAMES or names & {"string_to_param.*", "emb_params"}:
        return True
    return all(re.fullmatch(r"<[^<>]+>", name) for name in names)


UPSCALER_PREFIX = re.compile(r"^(?:params_ema|params|module|generator)\.")
UPSCALER_PARTS = re.compile(
    r"^(?:body\.\d+\.(?:rdb\d|RDB\d)\.|RRDB_trunk\.\d+\.RDB\d\."
    r"|model\.1\.sub\.\d+\.(?:RDB\d\.|weight$)"
    r"|layers\.\d+\.residual_group\.|layers\.\d+\.blocks\.\d+\.(?:attn|gate|norm)\S*)"
)


def _is_upscaler(tensors: Tensors) -> bool:
    names = {UPSCALER_PREFIX.sub("", name) for name in tensors}
    return any(UPSCALER_PARTS.match(name) for name in names) or _is_compact_upscaler(names)


def _is_compact_upscaler(names: set[str]) -> bool:
    """A plain row of convolutions and their slopes, and nothing else."""
    plain = re.compile(r"^body\.\d+\.(?:weight|bias)$")
    return {"body.0.weight", "body.1.weight"} <= names and all(map(plain.match, names))


WITNESSES: tuple[tuple[str, Callable[[Tensors], bool]], ...] = (
    (LORA, _is_lora),  # before the checkpoints: a LoRA names the layers it changes
    (SDXL_CHECKPOINT, _is_sdxl_checkpoint),
    (OTHER, _is_whole_checkpoint),
    (VAE, _is_vae),
    (EMBEDDING, _is_embedding),
    (UPSCALER, _is_upscaler),
)


DRAWN_PIPELINE = "StableDiffusionXLPipeline"
LAYOUT_FOLDERS = frozenset({"unet", "vae", "text_encoder", "text_encoder_2"})
FOREIGN_FOLDERS = frozenset({"transformer", "prior", "text_encoder_3", "controlnet"})


def _layout(files: Sequence[FileFacts]) -> FileFacts | None:
    """The file that says which parts make a diffusers model: the one nearest the top."""
    found = [file for file in files if PurePosixPath(file.path).name == LAYOUT_FILE]
    return min(found, key=lambda file: file.path.count("/"), default=None)


def _of_diffusers(
    layout: FileFacts, files: Sequence[FileFacts], tensors: Mapping[str, Tensors]
) -> str:
    top = PurePosixPath(layout.path).parent
    named = _pipeline(layout.text)
    if named is not None and named != DRAWN_PIPELINE:
        return OTHER
    folders = set(_folders(files, top))
    if not folders >= LAYOUT_FOLDERS or folders & FOREIGN_FOLDERS:
        return OTHER
    unet = (held for path, held in tensors.items() if path.startswith(_below(top, "unet")))
    drawn = all(_draws_from_noise(held.get("conv_in.weight")) for held in unet)
    return SDXL_DIFFUSERS if drawn else OTHER


def _pipeline(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(said.get("_class_name", "")) if isinstance(said, dict) else ""


def _folders(files: Sequence[FileFacts], top: PurePosixPath) -> Iterable[str]:
    prefix = _below(top)
    for file in files:
        folder, slash, _ = file.path.removeprefix(prefix).partition("/")
        if slash and file.path.startswith(prefix):
            yield folder


def _below(top: PurePosixPath, *parts: str) -> str:
    whole = "/".join((*top.parts, *parts))
    return f"{whole}/" if whole else ""


def _draws_from_noise(entry: Shape | None) -> bool:
    """By the shape of its first convolution; an unknown one is given the benefit of the doubt."""
    return entry is None or len(entry) != 4 or entry[1] == LATENT_CHANNELS


def _any_starts(tensors: Tensors, *prefixes: str) -> bool:
    return any(name.startswith(prefixes) for name in tensors)
