"""Presets by memory, and what fits into it: functions of values."""

from __future__ import annotations

import pytest

from jobs.generation import presets
from jobs.generation.presets import GIB, PRESETS

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("total", "name"),
    [
        (0, "cpu"),
        (6 * GIB, "8gb"),
        (8 * GIB, "12gb"),
        (12 * GIB, "12gb"),
        (16 * GIB, "24gb"),
        (24 * GIB, "24gb"),
        (47 * GIB, "24gb"),
        (79 * GIB, "80gb"),
        (141 * GIB, "80gb"),
    ],
)
def test_a_device_gets_the_largest_preset_it_holds(total: int, name: str) -> None:
    assert presets.for_memory(total).name == name


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "cpu"])
def test_every_preset_fits_into_its_own_class_at_the_usual_size(name: str) -> None:
    preset = PRESETS[name]
    needed = presets.needed_bytes(1024, 1024, preset.engine, preset.parallel)
    assert needed <= preset.memory_bytes


def test_larger_images_and_more_at_once_need_more() -> None:
    settings = PRESETS["24gb"].engine
    usual = presets.needed_bytes(1024, 1024, settings)
    assert presets.needed_bytes(2048, 2048, settings) > usual
    assert presets.needed_bytes(1024, 1024, settings, 4) > usual


def test_each_step_down_needs_less_and_the_last_has_none_below() -> None:
    preset = PRESETS["80gb"]
    seen = []
    while smaller := presets.stepped_down(preset):
        big = presets.needed_bytes(1024, 1024, preset.engine, preset.parallel)
        assert presets.needed_bytes(1024, 1024, smaller.engine, smaller.parallel) < big
        preset = smaller
        seen.append(preset.name)
    assert seen == ["24gb", "12gb", "8gb"]


def test_the_nearest_fit_keeps_the_size_where_a_smaller_preset_does() -> None:
    fit = presets.nearest_fit(1024, 1024, PRESETS["24gb"], 8 * GIB)
    assert fit is not None
    assert (fit.width, fit.height) == (1024, 1024)
    assert fit.preset in ("12gb", "8gb")


def test_else_it_shrinks_the_image_and_keeps_its_shape() -> None:
    fit = presets.nearest_fit(4096, 2048, PRESETS["8gb"], 3 * GIB)
    assert fit is not None
    assert fit.width < 4096
    assert fit.width % 8 == fit.height % 8 == 0
    assert 1.8 < fit.width / fit.height < 2.2


def test_where_nothing_fits_there_is_no_hint() -> None:
    assert presets.nearest_fit(1024, 1024, PRESETS["8gb"], GIB // 2) is None
