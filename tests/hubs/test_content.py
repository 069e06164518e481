"""Content is the same wherever it is read from, and as large as it says."""

from __future__ import annotations

import hashlib
import tracemalloc
import zlib
from pathlib import Path

import pytest

from tests.hubs.content import PIECE, UNIT, Content, Generated, InMemory, Joined, OnDisk

pytestmark = pytest.mark.pure

SIZE = 3 * PIECE + 12345


@pytest.fixture(params=["memory", "disk", "generated", "joined"])
def content(request: pytest.FixtureRequest, tmp_path: Path) -> Content:
    generated = Generated(SIZE, seed=7)
    if request.param == "memory":
        return InMemory(generated.read())
    if request.param == "disk":
        path = tmp_path / "file"
        path.write_bytes(generated.read())
        return OnDisk(path)
    if request.param == "joined":
        whole = generated.read()
        return Joined(InMemory(whole[:10]), InMemory(b""), InMemory(whole[10:]))
    return generated


def test_every_kind_of_content_has_the_same_bytes_and_digests(content: Content) -> None:
    expected = Generated(SIZE, seed=7).read()
    assert content.size == SIZE == len(expected)
    assert content.read() == expected
    assert content.sha256 == hashlib.sha256(expected).hexdigest()
    blob = b"blob %d\0" % SIZE + expected
    assert content.git_sha1 == hashlib.sha1(blob, usedforsecurity=False).hexdigest()
    assert content.crc32 == f"{zlib.crc32(expected):08x}"


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (9, 11), (UNIT - 1, UNIT + 1), (PIECE - 3, 2 * PIECE + 3), (SIZE - 1, SIZE), (5, 5)],
)
def test_any_range_of_it_can_be_read(content: Content, start: int, stop: int) -> None:
    assert content.read(start, stop) == Generated(SIZE, seed=7).read()[start:stop]


def test_pieces_are_small(content: Content) -> None:
    assert max(len(piece) for piece in content.pieces(0, SIZE)) <= PIECE


def test_no_two_places_of_generated_content_are_alike() -> None:
    content = Generated(256 * UNIT)
    units = [content.read(start, start + 64) for start in range(0, content.size, UNIT)]
    assert len(set(units)) == len({unit[16:] for unit in units}) == 256
    assert Generated(UNIT, seed=1).read() != Generated(UNIT, seed=2).read()


def test_a_huge_file_takes_no_memory() -> None:
    content = Generated(1 << 40)
    tracemalloc.start()
    assert len(content.read((1 << 39) + 5, (1 << 39) + 10)) == 5
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * PIECE
