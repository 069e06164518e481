"""From files to a model that is ready to draw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline
from safetensors import SafetensorError

from runners.engines.base import Say, Tell, unheard
from runners.engines.sdxl import folder, parts, placement, single_file
from runners.engines.sdxl.parts import Parts
from runners.errors import InvalidModel
from runners.protocol import EngineSettings, ModelFiles

READERS = {"diffusers": folder.read, "single-file": single_file.read}
# What torch says of weights that do not fit their model. Its other errors are faults of ours, or of
# the machine, and are not put on the model.
NO_VALUES = "meta tensor"
MODELS_FAULT = re.compile(rf"{NO_VALUES}|size mismatch|shape")
LONGEST_TOLD = 300
READING = 0.5  # of all the loading; the rest is bringing it to the device


def load(
    files: ModelFiles,
    settings: EngineSettings,
    device: torch.device,
    say: Say,
    tell: Tell = unheard,
) -> Parts:
    """InvalidModel: the files are not a whole SDXL model."""
    path = Path(files.path)
    read = READERS.get(files.layout)
    if read is None:
        raise InvalidModel(f"A model of the layout {files.layout!r} cannot be drawn with.")
    with _blaming(path):
        config = Path(files.config_path) if files.config_path else None
        found = read(path, config, lambda done: tell(READING * done))
    _check_whole(found.pipe)
    _tell(found, say)
    found.pipe.set_progress_bar_config(disable=True)
    rest = 1 - READING
    placement.place(found.pipe, settings, device, say, lambda done: tell(READING + rest * done))
    return found


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, LookupError, RuntimeError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if isinstance(error, RuntimeError) and not MODELS_FAULT.search(str(error)):
            raise
        message = f"{path.name} is no whole SDXL model: {_told(error)}"
        raise InvalidModel(message, reason="incomplete", detail=str(error)) from error


def _told(error: BaseException) -> str:
    if NO_VALUES in str(error):
        return "tensors of its UNet or its VAE are missing."
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:LONGEST_TOLD]


def _check_whole(pipe: StableDiffusionXLPipeline) -> None:
    """A tensor that no file held stays without values, and only drawing would tell."""
    for name in placement.PARTS:
        part = getattr(pipe, name)
        empty = [key for key, tensor in part.state_dict().items() if tensor.is_meta]
        if empty:
            raise parts.incomplete(name, empty)


def _tell(found: Parts, say: Say) -> None:
    prediction = found.trained["prediction_type"]
    say("info", "model_read", f"Prediction type {prediction}, stored as {found.pipe.unet.dtype}.")
