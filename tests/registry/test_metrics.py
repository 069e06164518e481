"""The number of models, as `/metrics` has it."""

from __future__ import annotations

import pytest

from registry import catalog, metrics
from registry.kinds import KINDS

from .conftest import a_model

pytestmark = pytest.mark.django_db


def gauges() -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


def test_models_are_counted_by_kind_and_state() -> None:
    a_model("one"), a_model("two"), a_model("off", enable=False), a_model("soft", kind="lora")
    catalog.mark_missing(a_model("gone").pk, "gone")
    counted = {key[1:]: count for key, count in gauges().items() if count}
    assert counted == {
        ("sdxl-checkpoint", "true", "true"): 2,
        ("sdxl-checkpoint", "true", "false"): 1,
        ("sdxl-checkpoint", "false", "false"): 1,
        ("lora", "true", "true"): 1,
    }


def test_without_models_every_line_is_there() -> None:
    found = gauges()
    assert set(found.values()) == {0}
    assert len(found) == 3 * len(KINDS)
    assert {key[0] for key in found} == {"dreamforge_models"}
