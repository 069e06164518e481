"""diffusers loads a whole pipeline from `/hf/`, its upstream switched off."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests import hubs
from tests.downloader.hub.serving import live
from tests.live import StartSite
from tests.runners.engines.sdxl import models

pytestmark = [pytest.mark.live, pytest.mark.pure]

NAME = "forge/tiny-xl"
LOAD = f"""
import hashlib, torch
from diffusers import StableDiffusionXLPipeline
pipe = StableDiffusionXLPipeline.from_pretrained({NAME!r}, torch_dtype=torch.float32)
weights = b"".join(t.numpy().tobytes() for _, t in sorted(pipe.unet.state_dict().items()))
print("unet", hashlib.sha256(weights).hexdigest())
"""


def test_diffusers_loads_the_pipeline_that_was_published(
    live_sites: StartSite, tmp_path: Path
) -> None:
    pipe = models.tiny()
    folder = models.save_folder(pipe, tmp_path / "published")
    files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    with hubs.running() as hub:
        hub.huggingface.add(NAME, files)
        mirror = live.start(live_sites, hub, tmp_path, (NAME, "main"))
    ran = mirror.client(tmp_path, LOAD)
    weights = b"".join(t.numpy().tobytes() for _, t in sorted(pipe.unet.state_dict().items()))
    assert f"unet {hashlib.sha256(weights).hexdigest()}" in ran.stdout, ran.stderr
