"""A tiny model on a CPU: what the service and its child cost beside a call in the same process."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import machine, tables
from benchmarks.drawing import posted
from benchmarks.drawing.work import Runner, Work, plainly
from runners.protocol import EngineSettings, ModelFiles

WORK = Work(side=512, steps=20)  # about two seconds
ROUNDS = 15
COLUMNS = ("until the image is there", "s", "beside in-process", "CPU s", "beside in-process")
PLAIN = "diffusers in the same process"
Cost = tuple[float, float]  # seconds, and CPU seconds of all processes


def measure(folder: Path) -> None:
    with _contestants(folder) as contestants:
        first = {name: _cost(draw) for name, draw in contestants.items()}
        # In turns, so that what else the machine does meets all.
        rounds = [{name: _cost(draw) for name, draw in contestants.items()} for _ in range(ROUNDS)]
    cold = [_row(f"{name}, cold", [first[name]], rounds) for name in first if name != PLAIN]
    warm = [_row(name, [one[name] for one in rounds], rounds) for name in first]
    tables.show("python -m benchmarks.drawing", COLUMNS, [*cold, *warm])


@contextmanager
def _contestants(folder: Path) -> Iterator[Mapping[str, Callable[[], object]]]:
    import torch

    from tests.runners.engines.sdxl import models

    torch.set_num_threads(1)
    pipe = models.tiny()
    pipe.set_progress_bar_config(disable=True)
    path = models.save_folder(pipe, folder / "tiny")
    runner = Runner("cpu", ModelFiles(str(path), "diffusers", "tiny"), EngineSettings(), folder)
    try:
        with posted.serving(path) as door:
            yield {
                "POST to the service": lambda: door.draw(WORK),
                "the runner alone": lambda: runner.draw(WORK),
                PLAIN: lambda: plainly(pipe, WORK, folder),
            }
    finally:
        runner.keeper.close()


def _cost(work: Callable[[], object]) -> Cost:
    before, started_at = machine.cpu_s([os.getpid()]), time.monotonic()
    work()
    return time.monotonic() - started_at, machine.cpu_s([os.getpid()]) - before


def _row(name: str, costs: list[Cost], rounds: list[dict[str, Cost]]) -> tuple[object, ...]:
    """Medians; a ratio is the median of those within a round."""
    cells: list[object] = [name]
    for at in (0, 1):
        plain = [one[PLAIN][at] for one in rounds]
        against = plain if len(costs) == len(rounds) else [statistics.median(plain)]
        ratios = [cost[at] / beside for cost, beside in zip(costs, against, strict=True)]
        cells += [statistics.median(cost[at] for cost in costs)]
        cells += [f"{statistics.median(ratios):.3f}"]
    return tuple(cells)
