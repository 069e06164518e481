from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dreamforge_site.supervisor.output import MAX_WAITING_LINES, LineStream, Output

pytestmark = pytest.mark.pure


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_lines_come_out_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    output = Output(writing)
    for number in range(5):
        output.write(f"{number}\n".encode())
    output.flush()
    assert os.read(reading, 100) == b"0\n1\n2\n3\n4\n"


def test_a_reader_that_never_reads_blocks_nobody(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    output = Output(writing)
    total = MAX_WAITING_LINES * 2
    for _ in range(total):
        output.write(b"x" * 1000 + b"\n")
    output.flush(timeout_s=0.05)
    assert 0 < output.dropped < total


def test_a_reader_that_went_away_is_forgotten(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    output = Output(writing)
    output.write(b"into the void\n")
    output.flush()
    for _ in range(MAX_WAITING_LINES * 2):
        output.write(b"more\n")
    output.flush()
    assert output.dropped == 0


def test_a_descriptor_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    output = Output(writing)
    block = b"y" * 65_536 + b"\n"
    for _ in range(8):
        output.write(block)
    received = b""
    while len(received) < 8 * len(block):
        received += os.read(reading, 1 << 20)
    assert received == block * 8


def test_a_stream_hands_on_whole_lines() -> None:
    lines: list[bytes] = []
    stream = LineStream(lines.append, terminal=False)
    stream.write("half")
    assert lines == []
    stream.write(" a line\nand more\n")
    assert lines == [b"half a line", b"and more"]
