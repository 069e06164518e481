"""Golden seeds: pictures of a tiny model, kept once, to be drawn again elsewhere or later.

Other processors, drivers and library versions may change the last digits of a value; more than
that is a change of what is drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageChops

from benchmarks import tables
from benchmarks.drawing.work import Runner, Work
from runners.protocol import EngineSettings, ModelFiles

SCHEDULERS = ("euler", "euler_a", "dpmpp_2m_karras", "dpmpp_sde_karras", "unipc")
SEEDS = 3
TOLERANCE = 2  # of 255, in single precision


def run(folder: Path, kept: Path, device: str, dtype: str) -> int:
    """Keep the pictures where `kept` is empty, else compare; 1 when one is too far off."""
    from tests.runners.engines.sdxl import models

    saved = models.save_folder(models.tiny(), folder / "tiny")
    settings = EngineSettings(dtype=dtype)
    runner = Runner(device, ModelFiles(str(saved), "diffusers", "tiny"), settings, folder)
    kept.mkdir(parents=True, exist_ok=True)
    rows = []
    try:
        for scheduler in SCHEDULERS:
            work = Work(side=128, steps=12, count=SEEDS, scheduler=scheduler)
            drawn = runner.draw(work).pictures
            names = [kept / f"{scheduler}-{seed}.png" for seed in work.seeds]
            pairs = zip(drawn, names, strict=True)
            rows += [(name.stem, _kept_or_compared(one, name)) for one, name in pairs]
    finally:
        runner.keeper.close()
    tables.show(f"python -m benchmarks.drawing --golden {kept.name}", ("picture", "off by"), rows)
    worst = max((off for _, off in rows if isinstance(off, int)), default=0)
    if worst > TOLERANCE:
        print(f"A picture is off by {worst} of 255; {TOLERANCE} are allowed.", file=sys.stderr)
    return int(worst > TOLERANCE)


def _kept_or_compared(drawn: Path, name: Path) -> int | str:
    if not name.exists():
        name.write_bytes(drawn.read_bytes())
        return "kept"
    with Image.open(drawn) as one, Image.open(name) as two:
        return max(ImageChops.difference(one, two).tobytes())
