"""A tiny model on a CPU: what a child costs beside a call in the same process."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import machine, tables
from benchmarks.drawing.work import Runner, Work, plainly
from runners.protocol import EngineSettings, ModelFiles

WORK = Work(side=512, steps=20)  # about two seconds
ROUNDS = 15
COLUMNS = ("request to image", "s", "beside in-process", "CPU s", "beside in-process")
Cost = tuple[float, float]  # seconds, and CPU seconds of this process and its child


def measure(folder: Path) -> None:
    import torch

    from tests.runners.engines.sdxl import models

    torch.set_num_threads(1)
    pipe = models.tiny()
    pipe.set_progress_bar_config(disable=True)
    saved = ModelFiles(str(models.save_folder(pipe, folder / "tiny")), "diffusers", "tiny")
    runner = Runner("cpu", saved, EngineSettings(), folder)
    try:
        cold = _cost(lambda: runner.draw(WORK))
        plainly(pipe, WORK, folder)  # the first call of each is slower
        # In turns, so that what else the machine does meets both.
        pairs = [
            (_cost(lambda: runner.draw(WORK)), _cost(lambda: plainly(pipe, WORK, folder)))
            for _ in range(ROUNDS)
        ]
    finally:
        runner.keeper.close()
    rows = _rows(cold, [warm for warm, _ in pairs], [plain for _, plain in pairs])
    tables.show("python -m benchmarks.drawing", COLUMNS, rows)


def _cost(work: Callable[[], object]) -> Cost:
    before, started_at = machine.cpu_s([os.getpid()]), time.monotonic()
    work()
    return time.monotonic() - started_at, machine.cpu_s([os.getpid()]) - before


def _rows(cold: Cost, warm: list[Cost], plain: list[Cost]) -> list[tuple[object, ...]]:
    """Medians; a ratio is the median of those of each pair."""
    usual = [statistics.median(cost[at] for cost in plain) for at in (0, 1)]
    ratios = [
        statistics.median(one[at] / two[at] for one, two in zip(warm, plain, strict=True))
        for at in (0, 1)
    ]
    warmed = [statistics.median(cost[at] for cost in warm) for at in (0, 1)]
    return [
        (
            "cold child: start, imports, load, draw",
            cold[0],
            cold[0] / usual[0],
            cold[1],
            cold[1] / usual[1],
        ),
        ("warm child", warmed[0], f"{ratios[0]:.3f}", warmed[1], f"{ratios[1]:.3f}"),
        ("diffusers in the same process", usual[0], "1.000", usual[1], "1.000"),
    ]
