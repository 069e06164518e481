"""`Range` of one file."""

from __future__ import annotations

import pytest

from jobs.generation.ranges import Part, Unsatisfiable, parse

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("header", "start", "length"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=90-", 90, 10),
        ("bytes=-10", 90, 10),
        ("bytes=-1000", 0, 100),
        ("bytes=50-1000", 50, 50),
        (" bytes = 1 - 1 ", 1, 1),
    ],
)
def test_one_range_is_a_part(header: str, start: int, length: int) -> None:
    assert parse(header, 100) == Part(start, length, 100)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes=-",
        "bytes=5-2",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=a-b",
        "bytes=" + "9" * 30,
    ],
)
def test_anything_else_is_the_whole_file(header: str | None) -> None:
    assert parse(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_beyond_the_end_there_is_nothing(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse(header, 100)


def test_the_part_names_itself() -> None:
    assert Part(5, 10, 100).content_range == "bytes 5-14/100"
