"""The same work, asked of the service's runner and of plain diffusers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from runners.protocol import Draw, EngineSettings, Item, ItemDone, Loaded, ModelFiles, ToParent
from runners.supervision import Keeper, Limits, Listener

PATIENT = Limits(load_s=1800, item_s=1800, silence_s=900)


@dataclass(frozen=True)
class Work:
    """`count` images in passes of `parallel`."""

    side: int
    steps: int
    count: int = 1
    parallel: int = 1
    scheduler: str = "euler"
    prompt: str = "a lighthouse on a cliff in a storm, oil on canvas"
    negative_prompt: str = "fog"
    guidance: float = 7.0
    first_seed: int = 1

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.count)


@dataclass
class Ear(Listener):
    """When what was heard, in seconds from the request."""

    started_at: float = field(default_factory=time.monotonic)
    load_s: float = 0.0
    first_s: float = 0.0
    peak: int = 0
    pictures: list[Path] = field(default_factory=list)

    def heard(self, message: ToParent) -> None:
        if isinstance(message, Loaded):
            self.load_s = message.seconds
        if isinstance(message, ItemDone):
            self.first_s = self.first_s or time.monotonic() - self.started_at
            self.peak = max(self.peak, message.memory.peak)
            self.pictures.append(Path(message.path))


class Runner:
    """A keeper with its child, as a worker has it."""

    def __init__(self, device: str, model: ModelFiles, settings: EngineSettings, out: Path) -> None:
        self._model, self._settings, self._out = model, settings, out
        self.keeper = Keeper("sdxl", device, 3600)

    def draw(self, work: Work) -> Ear:
        ear = Ear()
        asked = Draw(
            id="benchmark",
            prompt=work.prompt,
            negative_prompt=work.negative_prompt,
            width=work.side,
            height=work.side,
            steps=work.steps,
            guidance=work.guidance,
            scheduler=work.scheduler,
            format="png",
            out_dir=str(self._out),
            items=tuple(Item(index, seed) for index, seed in enumerate(work.seeds)),
            embed_metadata=False,
            parallel=work.parallel,
        )
        self.keeper.draw(self._model, self._settings, asked, PATIENT, ear, Event())
        return ear


def plainly(pipe: Any, work: Work, out: Path) -> float:
    """Seconds that diffusers itself takes, in this process, images written."""
    import torch

    started_at = time.monotonic()
    for at in range(0, work.count, work.parallel):
        seeds = work.seeds[at : at + work.parallel]
        images = pipe(
            [work.prompt] * len(seeds),
            negative_prompt=[work.negative_prompt] * len(seeds),
            width=work.side,
            height=work.side,
            num_inference_steps=work.steps,
            guidance_scale=work.guidance,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        ).images
        for seed, image in zip(seeds, images, strict=True):
            image.save(out / f"plain-{seed}.png")
    return time.monotonic() - started_at
