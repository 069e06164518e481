"""Precision, memory and speed: what a setting does to a model, and where it does nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch

from runners.engines.sdxl import memory, placement
from runners.engines.sdxl.engine import SdxlEngine
from runners.errors import InvalidInput, RunnerError
from runners.protocol import EngineSettings
from tests.runners.engines.asking import Notes, Watcher, request, seeded
from tests.runners.engines.conftest import Tiny

pytestmark = [pytest.mark.pure, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16
HOPPER, TURING = (9, 0), (7, 5)


@pytest.mark.parametrize(
    ("wanted", "stored", "device", "card", "expected"),
    [
        ("auto", FP16, CPU, HOPPER, FP32),
        ("auto", FP16, GPU, HOPPER, FP16),
        ("auto", FP32, GPU, HOPPER, FP16),
        ("auto", BF16, GPU, HOPPER, BF16),
        ("auto", BF16, GPU, TURING, FP16),
        ("bf16", FP32, CPU, HOPPER, BF16),
        ("fp32", FP16, GPU, HOPPER, FP32),
    ],
)
def test_precision_is_what_file_and_device_allow(
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    stored: torch.dtype,
    device: torch.device,
    card: tuple[int, int],
    expected: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: card)
    assert placement.dtype_of(wanted, stored, device) == expected


@pytest.mark.parametrize(
    ("running", "overflows", "card", "expected"),
    [
        (FP16, True, HOPPER, BF16),
        (FP16, True, TURING, FP32),
        (FP16, False, TURING, FP16),
        (BF16, True, HOPPER, BF16),
        (FP32, True, HOPPER, FP32),
    ],
)
def test_a_vae_that_overflows_is_not_run_in_fp16(
    monkeypatch: pytest.MonkeyPatch,
    running: torch.dtype,
    overflows: bool,
    card: tuple[int, int],
    expected: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: card)
    assert placement.vae_dtype(running, GPU, overflows=overflows) == expected


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (EngineSettings(dtype="int1"), "dtype 'int1'"),
        (EngineSettings(offload="disk"), "offload 'disk'"),
        (EngineSettings(attention="magic_hub"), "attention 'magic_hub'"),
    ],
)
def test_an_unknown_setting_is_named(settings: EngineSettings, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"{why} is not known; known: "):
        placement.check(settings)


@pytest.mark.parametrize("name", ["cuda:7", "warp", "cpu:x"])
def test_a_device_that_torch_cannot_use_is_named(name: str) -> None:
    with pytest.raises(RunnerError, match=name) as error:
        placement.device_of(name)
    assert error.value.reason == "device"


@pytest.mark.parametrize(
    ("offload", "called"),
    [
        ("none", []),
        ("model", ["enable_model_cpu_offload"]),
        ("sequential", ["enable_sequential_cpu_offload"]),
    ],
)
def test_offload_keeps_parts_off_the_gpu(
    monkeypatch: pytest.MonkeyPatch, offload: str, called: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: HOPPER)
    pipe = _recorded()
    placement.place(pipe, EngineSettings(offload=offload), GPU, Notes())
    assert [name for name, _, _ in pipe.method_calls if "offload" in name] == called
    moved_to = pipe.unet.to.call_args_list[0].kwargs["device"]
    assert moved_to == (GPU if offload == "none" else None)


def test_on_a_gpu_the_parts_run_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: HOPPER)
    pipe = _recorded()
    placement.place(pipe, EngineSettings(), GPU, Notes())
    assert pipe.unet.to.call_args_list[0].kwargs["dtype"] == FP16
    assert pipe.vae.to.call_args_list[0].kwargs["dtype"] == BF16


def test_without_a_gpu_there_is_nothing_to_offload_to(engine: SdxlEngine, tiny: Tiny) -> None:
    engine.load(tiny.folder, EngineSettings(offload="sequential"), Notes())
    assert len(engine.draw(request(), seeded(1), Watcher(), Notes())) == 1


def test_small_tiles_slices_and_sliced_attention_draw_the_asked_size(
    engine: SdxlEngine, tiny: Tiny
) -> None:
    settings = EngineSettings(vae_tiling=True, vae_slicing=True, attention="sliced")
    engine.load(tiny.folder, settings, Notes())
    (picture,) = engine.draw(request(width=128, height=96), seeded(1), Watcher(), Notes())
    assert (picture.width, picture.height) == (128, 96)
    assert engine._model is not None
    assert engine._model.pipe.vae.tile_sample_min_size == 32


@pytest.mark.parametrize(
    ("offload", "compiled", "code"),
    [("none", 1, "compiling"), ("model", 1, "compiling"), ("sequential", 0, "not_compiled")],
)
def test_the_unets_blocks_are_compiled_only_when_asked_and_possible(
    monkeypatch: pytest.MonkeyPatch, offload: str, compiled: int, code: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: HOPPER)
    notes, pipe = Notes(), _recorded()
    placement.place(pipe, EngineSettings(offload=offload, compile=True), GPU, notes)
    assert pipe.unet.compile_repeated_blocks.call_count == compiled
    assert [said for _, said, _ in notes] == [code]
    asked_nothing = _recorded()
    placement.place(asked_nothing, EngineSettings(offload=offload), GPU, Notes())
    assert asked_nothing.unet.compile_repeated_blocks.call_count == 0


def test_memory_of_a_gpu_is_that_of_its_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"memory_allocated": 1, "memory_reserved": 2, "max_memory_allocated": 3}
    for name, value in told.items():
        monkeypatch.setattr(torch.cuda, name, lambda _device, value=value: value)
    read = memory.read(GPU)
    assert (read.allocated, read.reserved, read.peak) == (1, 2, 3)
    assert read.rss > 0


def _recorded() -> Any:
    """A pipeline that only remembers what is done to it."""
    pipe = MagicMock()
    pipe.unet.dtype = FP16
    pipe.vae.config = SimpleNamespace(force_upcast=True)
    return pipe
