"""What is known of the devices that a worker draws on."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from jobs.generation import keepers
from runners import devices
from runners.devices import Device

pytestmark = pytest.mark.pure
GIB = 2**30


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.RUNNER = "sdxl"
    found = [Device(f"cuda:{at}", "NVIDIA H100", 80 * GIB, at * GIB) for at in (0, 1)]
    monkeypatch.setattr(devices, "found", lambda: found)
    monkeypatch.setattr(keepers, "_peaks", {})


def test_each_slot_tells_of_its_own_device() -> None:
    told = keepers.device_facts(["1"])
    assert told == {"1": {"label": "NVIDIA H100", "total": 80 * GIB, "used": GIB}}


def test_the_peak_is_that_of_the_last_request_that_took_memory() -> None:
    keepers.measured("1", 0, None, 9 * GIB)
    keepers.measured("1", None, 0, 0)
    told = keepers.device_facts(["0", "1"])
    assert (told["1"]["peak"], "peak" in told["0"]) == (9 * GIB, False)


def test_a_slot_without_a_device_is_not_told_of() -> None:
    assert keepers.device_facts(["7"]) == {}


def test_who_pretends_to_draw_tells_of_no_device(settings: Settings) -> None:
    settings.RUNNER = "fake"
    assert keepers.device_facts(["0"]) == {}
