"""SDXL in its full size on a GPU, of random weights: speed as of any checkpoint, pictures of noise.

Beside it plain diffusers, with the same file, precision and steps.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.drawing.work import Runner, Work, plainly
from runners.protocol import EngineSettings, ModelFiles

SIDE, STEPS = 1024, 30
BATCHES = (1, 4, 8)
PASSES = 3
GIB = 2**30
COLUMNS = ("batch", "runner images/s", "diffusers images/s", "ratio", "runner peak GiB")


def measure(folder: Path, device: str, settings: EngineSettings) -> None:
    file = _saved(folder, device)
    runner = Runner(device, ModelFiles(str(file), "single-file", "full"), settings, folder)
    try:
        cold = runner.draw(Work(SIDE, STEPS))
        ears = [_warmed(runner, batch) for batch in BATCHES]
    finally:
        runner.keeper.close()
    pipe = _plain(file, device)
    rows = []
    for batch, (seconds, peak) in zip(BATCHES, ears, strict=True):
        plainly(pipe, _work(batch, 1), folder)
        plain = _rate(batch, plainly(pipe, _work(batch, PASSES), folder))
        ours = _rate(batch, seconds)
        rows.append((batch, ours, plain, ours / plain, peak / GIB))
    tables.show(_command(device), COLUMNS, rows)
    print(f"\nCold: first image {cold.first_s:.1f} s, of which loading {cold.load_s:.1f} s.")


def _command(device: str) -> str:
    import torch

    label = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return f"python -m benchmarks.drawing --full, {SIDE} px, {STEPS} steps, {label}"


def _work(batch: int, passes: int) -> Work:
    return Work(SIDE, STEPS, count=batch * passes, parallel=batch)


def _rate(batch: int, seconds: float) -> float:
    return batch * PASSES / seconds


def _warmed(runner: Runner, batch: int) -> tuple[float, int]:
    """Seconds of the passes after a first one of this size, from request to last file."""
    import time

    runner.draw(_work(batch, 1))
    started_at = time.monotonic()
    ear = runner.draw(_work(batch, PASSES))
    return time.monotonic() - started_at, ear.peak


def _saved(folder: Path, device: str) -> Path:
    """About 7 GB on disk; the weights are made on the device and freed again."""
    import torch

    from tests.runners.engines.sdxl import models

    pipe = models.full(torch.float16, device)
    pipe.to("cpu")
    file = models.save_single_file(pipe, folder / "full.safetensors")
    del pipe
    _free()
    return file


def _plain(file: Path, device: str) -> Any:
    import torch
    from diffusers import StableDiffusionXLPipeline

    from runners.engines.sdxl import clip_tokens, schedulers
    from runners.engines.sdxl.single_file import CONFIGS

    pipe = StableDiffusionXLPipeline.from_single_file(
        str(file),
        config=str(CONFIGS),
        local_files_only=True,
        dtype=torch.float16,
        tokenizer=clip_tokens.first(),
        tokenizer_2=clip_tokens.second(),
        scheduler=schedulers.make("euler", schedulers.BASE, STEPS),
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
