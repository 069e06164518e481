from __future__ import annotations

import pytest
from pytest_django import Settings

from dreamforge_site import tasks

runs: list[str] = []


def works() -> int:
    runs.append("works")
    return 3


def breaks() -> None:
    raise ValueError("broken routine")


def test_ping_echoes() -> None:
    assert tasks.ping("hello") == "hello"


def test_a_failing_routine_is_told_and_keeps_no_other_from_running(
    settings: Settings,
) -> None:
    runs.clear()
    settings.HOUSEKEEPING = [f"{__name__}.breaks", f"{__name__}.works"]
    with pytest.raises(RuntimeError, match=f"{__name__}.breaks"):
        tasks.housekeeping()
    assert runs == ["works"]


@pytest.mark.django_db
def test_every_routine_of_the_settings_runs() -> None:
    tasks.housekeeping()
