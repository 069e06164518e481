"""A tiny model on a CPU: what a child costs beside a call in the same process."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks import tables
from benchmarks.drawing.work import Runner, Work, plainly
from runners.protocol import EngineSettings, ModelFiles

WORK = Work(side=384, steps=20)
ROUNDS = 9
COLUMNS = ("request to first image", "s", "beside in-process")


def measure(folder: Path) -> None:
    import torch

    from tests.runners.engines.sdxl import models

    torch.set_num_threads(1)
    pipe = models.tiny()
    pipe.set_progress_bar_config(disable=True)
    saved = ModelFiles(str(models.save_folder(pipe, folder / "tiny")), "diffusers", "tiny")
    runner = Runner("cpu", saved, EngineSettings(), folder)
    try:
        cold = runner.draw(WORK)
        plainly(pipe, WORK, folder)  # the first call of each is slower
        # In turns, so that what else the machine does meets both.
        pairs = [(runner.draw(WORK).first_s, plainly(pipe, WORK, folder)) for _ in range(ROUNDS)]
    finally:
        runner.keeper.close()
    warm = statistics.median(one for one, _ in pairs)
    plain = statistics.median(two for _, two in pairs)
    ratio = statistics.median(one / two for one, two in pairs)
    rows = [
        ("cold child (start, imports, load, draw)", cold.first_s, cold.first_s / plain),
        ("warm child", warm, ratio),
        ("diffusers in the same process", plain, 1.0),
    ]
    tables.show("python -m benchmarks.drawing", COLUMNS, rows)
