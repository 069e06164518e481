"""How events are written, and which may be left out."""

from __future__ import annotations

import pytest

from jobs.watching.lines import Line, Stretch, coalesced, encode, end, joined

pytestmark = pytest.mark.pure


def event(seq: int, name: str = "progress", item: int | None = 0) -> Line:
    return Line(seq, name, item, encode(seq, name, b"{}"))


def test_of_progress_in_a_row_of_one_item_the_last_stays() -> None:
    assert [line.seq for line in coalesced([event(1), event(2), event(3)])] == [3]


def test_progress_of_another_item_stays() -> None:
    assert [line.seq for line in coalesced([event(1), event(2, item=1)])] == [1, 2]


@pytest.mark.parametrize("name", ["log", "artifact", "error"])
def test_everything_else_stays(name: str) -> None:
    told = [event(1), event(2, name), event(3, name), event(4)]
    assert [line.seq for line in coalesced(told)] == [1, 2, 3, 4]


def test_progress_is_coalesced_across_stretches_of_a_slow_client() -> None:
    first, second = Stretch(0, 1, (event(1),)), Stretch(1, 2, (event(2),))
    assert joined([first, second]) == event(2).encoded


def test_stretch_is_encoded_once_for_all_its_listeners() -> None:
    shared = Stretch(0, 2, (event(1), event(2, "log")))
    assert joined([shared]) is joined([shared])


def test_end_comes_after_every_event() -> None:
    assert end(7, "succeeded") == b'id: 8\nevent: end\ndata: {"status":"succeeded"}\n\n'
