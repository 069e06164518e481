"""Pretended pictures: a pattern made of the prompt and the seed, with both written on it. The same
request gives the same bytes. It needs no model, no GPU and no torch, and speaks the same protocol.

Tests make it fail: see `faults`.
"""

from __future__ import annotations

import hashlib
import os
import resource
import textwrap
import time
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from runners.engines import faults
from runners.engines.base import Engine, Picture, Say, Seeded, Tell, Watching, unheard
from runners.protocol import Draw, EngineSettings, Memory, ModelFiles

STEP_MS = "DREAMFORGE_FAKE_STEP_MS"
LINE_CHARS = 48
LINES = 12


def make(_device: str) -> Engine:
    return FakeEngine()


class FakeEngine:
    name = "fake"

    def load(
        self, model: ModelFiles, settings: EngineSettings, say: Say, tell: Tell = unheard
    ) -> None:
        tell(0.5)
        faults.at("load")
        say("warning", "pretending", "Images are pretended: no model is run.")

    def draw(
        self, request: Draw, items: Sequence[Seeded], watching: Watching, say: Say
    ) -> list[Picture]:
        pause_s = int(os.environ.get(STEP_MS, "0")) / 1000
        for step in range(1, request.steps + 1):
            for item in items:
                faults.at(f"step:{step}", f"item:{item.index}")
                watching.step(item.index, step, request.steps)
            time.sleep(pause_s)
        pictures = []
        for item in items:
            watching.finalizing(item.index)
            pictures.append(_picture(request, item))
        return pictures

    def memory(self) -> Memory:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Memory(rss=peak)


def _picture(request: Draw, item: Seeded) -> Picture:
    image = _pattern(request, item)
    words = textwrap.wrap(request.prompt, LINE_CHARS)[:LINES]
    facts = [*words, f"seed {item.seed}", f"{request.width} x {request.height}"]
    draw = ImageDraw.Draw(image)
    size = max(8, request.width // 24)
    # The font that comes with the library has no letters beyond Latin.
    text = "\n".join(facts).encode("latin-1", "replace").decode("latin-1")
    draw.multiline_text((size, size), text, fill=(255, 255, 255), font=ImageFont.load_default(size))
    return Picture(request.width, request.height, image.tobytes())


def _pattern(request: Draw, item: Seeded) -> Image.Image:
    """A small mosaic of the digest of what decides a picture, drawn out to its size."""
    decides = f"{request.prompt}\0{request.negative_prompt}\0{item.seed}\0{request.steps}"
    decides += f"\0{request.guidance}\0{request.scheduler}"
    digest = hashlib.sha256(decides.encode("utf-8", "surrogatepass")).digest()
    tile = bytes(value // 2 for value in (digest * 2)[:48])  # dark: the words stand out
    mosaic = Image.frombytes("RGB", (4, 4), tile)
    return mosaic.resize((request.width, request.height), Image.Resampling.BICUBIC)
