"""What the engine draws on a tiny model: reproducible, cancelable, alone or with others."""

from __future__ import annotations

import gc
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch

from registry.parameters import SCHEDULERS
from runners.engines.base import Picture
from runners.engines.sdxl import schedulers
from runners.engines.sdxl.engine import SdxlEngine
from runners.errors import CanceledHere, InvalidInput, RunnerError
from runners.protocol import EngineSettings
from tests.runners.engines.asking import (
    TOLERANCE,
    Notes,
    Watcher,
    distance,
    request,
    seeded,
)
from tests.runners.engines.conftest import Tiny
from tests.runners.engines.sdxl import models

# The libraries and numpy among themselves.
pytestmark = [pytest.mark.pure, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

STOCHASTIC = ("euler_a", "ddpm", "dpm2_a", "dpmpp_2m_sde", "dpmpp_sde", "lcm", "tcd")


def drawn(engine: SdxlEngine, seed: int = 1, **changes: Any) -> Picture:
    (picture,) = engine.draw(request(**changes), seeded(seed), Watcher(), Notes())
    return picture


def test_every_scheduler_of_the_api_is_known_and_no_other() -> None:
    assert set(schedulers.KINDS) == set(SCHEDULERS)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_scheduler_draws_and_counts_the_models_evaluations(
    engine: SdxlEngine, monkeypatch: pytest.MonkeyPatch, scheduler: str
) -> None:
    evaluations = _count_calls(_pipe(engine).unet, monkeypatch)
    watcher = Watcher()
    (picture,) = engine.draw(request(scheduler=scheduler), seeded(1), watcher, Notes())
    count = len(evaluations)
    assert watcher.steps == [(0, step, count) for step in range(1, count + 1)]
    assert count >= 4
    assert len(picture.rgb) == 64 * 64 * 3
    assert len(set(picture.rgb)) > 50  # a picture, not a plane


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("steps", [1, 2])
def test_few_steps_are_steps_too(engine: SdxlEngine, scheduler: str, steps: int) -> None:
    assert len(drawn(engine, scheduler=scheduler, steps=steps).rgb) == 64 * 64 * 3


@pytest.mark.parametrize("scheduler", ["euler", *STOCHASTIC])
def test_a_seed_gives_the_same_bytes_and_another_seed_others(
    engine: SdxlEngine, scheduler: str
) -> None:
    first = drawn(engine, 7, scheduler=scheduler)
    assert drawn(engine, 7, scheduler=scheduler) == first
    assert drawn(engine, 8, scheduler=scheduler) != first


ZERO_SNR = {**schedulers.BASE, **schedulers.ZERO_SNR}


def test_the_usual_training_is_known_to_every_scheduler() -> None:
    assert [name for name in SCHEDULERS if schedulers.warning(name, schedulers.BASE)] == []


def test_a_scheduler_that_has_no_notion_of_the_training_is_named_with_those_that_have() -> None:
    assert schedulers.ignored("heun", ZERO_SNR) == ("rescale_betas_zero_snr",)
    assert schedulers.ignored("euler", ZERO_SNR) == ()
    told = schedulers.warning("heun", ZERO_SNR)
    assert told.startswith("heun ignores rescale_betas_zero_snr, which the model was trained with.")
    assert " euler," in told
    assert " heun," not in told


def test_what_a_scheduler_ignores_is_said_once_a_request(
    fresh_engine: SdxlEngine, tiny: Tiny, tmp_path: Path
) -> None:
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    file = models.save_single_file(tiny.pipe, tmp_path / "zero.safetensors", extra=marks)
    fresh_engine.load(tiny.of_single(file), EngineSettings(), Notes())
    notes = Notes()
    for seed in (1, 2):
        fresh_engine.draw(request(scheduler="heun"), seeded(seed), Watcher(), notes)
    fresh_engine.draw(request(scheduler="euler", id="job/2"), seeded(1), Watcher(), notes)
    assert [(level, code) for level, code, _ in notes] == [("warning", "scheduler_ignores")]


def test_a_scheduler_leaves_nothing_behind_for_the_next(engine: SdxlEngine) -> None:
    before = drawn(engine, scheduler="euler")
    drawn(engine, scheduler="euler_karras")
    assert drawn(engine, scheduler="euler") == before


def test_it_is_what_diffusers_itself_draws(engine: SdxlEngine, tiny: Tiny) -> None:
    tiny.pipe.set_progress_bar_config(disable=True)
    asked = request()
    image = tiny.pipe(
        asked.prompt,
        negative_prompt=asked.negative_prompt,
        width=64,
        height=64,
        num_inference_steps=4,
        guidance_scale=asked.guidance,
        generator=torch.Generator("cpu").manual_seed(5),
    ).images[0]
    assert distance(drawn(engine, 5), Picture(64, 64, image.tobytes())) <= TOLERANCE


@pytest.mark.parametrize("scheduler", ["dpmpp_2m_karras", *STOCHASTIC])
def test_items_in_one_pass_are_the_same_images_as_alone(engine: SdxlEngine, scheduler: str) -> None:
    watcher = Watcher()
    together = engine.draw(request(scheduler=scheduler), seeded(3, 4, 5), watcher, Notes())
    alone = [drawn(engine, seed, scheduler=scheduler) for seed in (3, 4, 5)]
    distances = [distance(one, two) for one, two in zip(together, alone, strict=True)]
    assert max(distances) <= TOLERANCE
    steps = len(watcher.steps) // 3
    assert watcher.steps[:3] == [(index, 1, steps) for index in range(3)]
    assert watcher.finalized == [0, 1, 2]


@pytest.mark.parametrize("at", [1, 3, -1])
def test_a_cancel_ends_it_there_and_harms_nothing(engine: SdxlEngine, at: int) -> None:
    before = drawn(engine, 9, scheduler="heun")
    watcher = Watcher(lambda step: step == at)
    with pytest.raises(CanceledHere):
        engine.draw(request(scheduler="heun"), seeded(1), watcher, Notes())
    assert len(watcher.steps) == (at if at > 0 else 7)
    assert drawn(engine, 9, scheduler="heun") == before


def test_a_cancel_keeps_no_tensors_alive(engine: SdxlEngine) -> None:
    drawn(engine)
    before = _living_tensors()
    with pytest.raises(CanceledHere):
        engine.draw(request(), seeded(1), Watcher(lambda step: step == 2), Notes())
    assert _living_tensors() <= before


def test_the_text_is_read_once_for_all_passes_of_a_request(
    engine: SdxlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _count_calls(_pipe(engine).text_encoder, monkeypatch)
    asked = request(prompt="once")
    pictures = [engine.draw(asked, seeded(seed), Watcher(), Notes()) for seed in (1, 2, 3)]
    assert len(calls) == 2  # the prompt, and what to keep away from
    assert len(pictures) == 3
    drawn(engine, prompt="another")
    assert len(calls) == 4


def test_each_word_counts_also_beyond_the_encoders_window(engine: SdxlEngine) -> None:
    long = "a lighthouse on a rock " * 10
    assert len(long) > 2 * 77
    assert drawn(engine, prompt=long + "at night") != drawn(engine, prompt=long + "at noon")


def test_what_to_keep_away_from_counts_only_with_guidance(engine: SdxlEngine) -> None:
    free = [drawn(engine, guidance=1.0, negative_prompt=text) for text in ("", "fog")]
    held = [drawn(engine, guidance=7.0, negative_prompt=text) for text in ("", "fog")]
    assert free[0] == free[1]
    assert held[0] != held[1]


def test_a_long_side_to_keep_away_from_needs_no_long_prompt(engine: SdxlEngine) -> None:
    assert drawn(engine, negative_prompt="fog and rain " * 20) != drawn(engine)


def test_a_size_that_is_no_power_of_two_is_drawn_as_asked(engine: SdxlEngine) -> None:
    picture = drawn(engine, width=72, height=104)
    assert (picture.width, picture.height) == (72, 104)
    assert len(picture.rgb) == 72 * 104 * 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"width": 60}, "multiple of 8"),
        ({"height": 0}, "multiple of 8"),
        ({"steps": 0}, "0 steps"),
        ({"steps": 1001}, "1001 steps"),
        ({"scheduler": "magic"}, "no scheduler 'magic'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    engine: SdxlEngine, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        drawn(engine, **changes)


@pytest.mark.parametrize("layer", ["unet.conv_out", "vae.decoder.conv_out"])
def test_what_is_no_number_is_an_error_and_not_a_black_image(
    fresh_engine: SdxlEngine, tiny: Tiny, layer: str
) -> None:
    fresh_engine.load(tiny.folder, EngineSettings(), Notes())
    torch.nn.init.constant_(attrgetter(layer)(_pipe(fresh_engine)).bias, float("nan"))
    with pytest.raises(RunnerError) as error:
        drawn(fresh_engine)
    assert (error.value.code, error.value.reason) == ("provider_error", "nan_output")


def test_without_a_model_nothing_is_drawn(fresh_engine: SdxlEngine) -> None:
    with pytest.raises(RunnerError, match="No model"):
        drawn(fresh_engine)


def test_memory_is_that_of_the_process_where_there_is_no_gpu(engine: SdxlEngine) -> None:
    memory = engine.memory()
    assert memory.rss > 100 * 1_048_576
    assert (memory.allocated, memory.reserved, memory.peak) == (0, 0, 0)


def _pipe(engine: SdxlEngine) -> Any:
    assert engine._model is not None
    return engine._model.pipe


def _count_calls(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    calls: list[None] = []
    real = module.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        return real(*args, **kwargs)

    monkeypatch.setattr(module, "forward", counted)
    return calls


def _living_tensors() -> int:
    gc.collect()
    return sum(1 for thing in gc.get_objects() if type(thing) is torch.Tensor)
