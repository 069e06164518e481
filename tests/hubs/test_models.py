"""The ready-made files are what they pretend to be, down to their headers."""

from __future__ import annotations

import json
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.hubs import Content, folders, models

pytestmark = pytest.mark.pure

MAKERS: dict[str, Callable[[], Content]] = {
    "sdxl": models.sdxl_checkpoint,
    "large sdxl": lambda: models.sdxl_checkpoint(size=1 << 30),
    "sd15": models.sd15_checkpoint,
    "lora": models.lora,
    "peft lora": lambda: models.lora(peft=True),
    "vae": models.vae,
    "embedding": models.embedding,
    "upscaler": models.upscaler,
}


def header(content: Content) -> dict[str, Any]:
    (length,) = struct.unpack("<Q", content.read(0, 8))
    read: dict[str, Any] = json.loads(content.read(8, 8 + length))
    return read


@pytest.mark.parametrize("name", MAKERS)
def test_tensors_fill_the_file_without_gap_or_overlap(name: str) -> None:
    content = MAKERS[name]()
    (length,) = struct.unpack("<Q", content.read(0, 8))
    tensors = [tensor for name, tensor in header(content).items() if name != "__metadata__"]
    sizes = [math.prod(t["shape"]) * models.WIDTH[t["dtype"]] for t in tensors]
    ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    assert [t["data_offsets"] for t in tensors] == [
        [end - size, end] for size, end in zip(sizes, ends, strict=True)
    ]
    assert content.size == 8 + length + ends[-1]
    assert length % 8 == 0


def test_a_checkpoint_holds_the_landmarks_of_sdxl() -> None:
    tensors = header(models.sdxl_checkpoint())
    assert "conditioner.embedders.1.model.ln_final.weight" in tensors
    first = tensors["model.diffusion_model.input_blocks.0.0.weight"]
    assert first["shape"] == [320, 4, 3, 3]
    attention = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
    assert tensors[attention]["shape"][1] == 2048


def test_a_size_is_met_and_a_seed_changes_the_bytes_only() -> None:
    large = models.sdxl_checkpoint(size=1 << 30)
    assert abs(large.size - (1 << 30)) < 4096
    one, two = models.lora(seed=1), models.lora(seed=2)
    assert (one.size, header(one)) == (two.size, header(two))
    assert one.sha256 != two.sha256


def test_a_folder_has_all_that_its_index_names() -> None:
    folder = folders.sdxl()
    index = json.loads(folder["model_index.json"].read())
    parts = {name for name, value in index.items() if isinstance(value, list)}
    assert parts == {path.partition("/")[0] for path in folder if "/" in path}
    assert header(folder["unet/diffusion_pytorch_model.safetensors"])["conv_in.weight"]


def test_a_folder_can_hold_everything_a_download_should_leave() -> None:
    plain = set(folders.sdxl())
    extra = set(folders.sdxl(variants=("fp16",), duplicates=True, single_file=True)) - plain
    assert len(extra) == 4 + 4 * 4 + 1
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in extra
    assert "text_encoder/pytorch_model.bin" in extra
    assert "sdxl_tiny_1.0.safetensors" in extra


def test_shards_hold_what_their_index_says() -> None:
    folder = folders.sdxl(sharded_unet=True)
    stem = "unet/diffusion_pytorch_model"
    where = json.loads(folder[f"{stem}.safetensors.index.json"].read())["weight_map"]
    held = {
        name: shard for shard in set(where.values()) for name in header(folder[f"unet/{shard}"])
    }
    assert held == where
    assert f"{stem}.safetensors" not in folder


def test_a_trap_closes_when_it_is_opened(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with zipfile.ZipFile(BytesIO(models.trapped_archive(canary))) as archive:
        inside = archive.read("archive/data.pkl")
    assert inside == models.trapped_pickle(canary)
    pickle.loads(inside).close()  # noqa: S301 - this is the trap
    assert canary.exists()
