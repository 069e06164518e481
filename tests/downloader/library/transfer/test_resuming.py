"""What an earlier run left is taken up, checked, and never mixed with another version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from downloader.library.errors import Canceled, StoreFailed
from downloader.library.watch import Control
from tests.downloader.library.transfer.world import (
    CONTENT,
    NAME,
    OTHER,
    PIECE,
    SEGMENT,
    SIZE,
    World,
    sha256,
)
from tests.hubs.faults import Afterwards, NoEtag

pytestmark = pytest.mark.pure

DIGEST = sha256(CONTENT)
STREAMED = 2 * SEGMENT  # what may be on the way when a run is stopped


def stop_after(world: World, requests: int, url: str, **how: object) -> None:
    """A run that is stopped as the answer to one of its requests goes out."""
    rule = world.hub.faults.add(Afterwards(world.control.cancel), after=requests)
    with pytest.raises(Canceled):
        world.fetch(url, **how)  # type: ignore[arg-type]
    world.hub.faults.remove(rule)
    world.control = Control()
    world.hub.requests.clear()


def test_a_stopped_download_goes_on_where_it_was(alone: World) -> None:
    url = alone.serve()
    stop_after(alone, 5, url, digest=DIGEST)
    fetched = alone.fetch(url, digest=DIGEST)
    assert alone.bytes_of() == CONTENT.read()
    assert fetched.computed.sha256 == CONTENT.sha256
    assert alone.hub.bytes_sent() == fetched.received <= SIZE - 4 * SEGMENT
    assert "resume" in alone.diary.codes


def test_a_stopped_download_of_many_connections_loses_only_what_was_on_the_way(
    world: World,
) -> None:
    url = world.serve_signed()
    stop_after(world, 6, url, digest=DIGEST)
    world.fetch(url, digest=DIGEST)
    assert world.bytes_of() == CONTENT.read()
    assert world.hub.bytes_sent() < SIZE


def test_without_a_digest_a_strong_etag_of_the_same_origin_lets_it_go_on(alone: World) -> None:
    url = alone.serve()
    stop_after(alone, 5, url)
    fetched = alone.fetch(url)
    assert alone.bytes_of() == CONTENT.read()
    assert fetched.received < SIZE
    assert "if-range" in alone.hub.requests[0].headers


def test_without_a_digest_and_an_etag_it_starts_again(alone: World) -> None:
    url = alone.serve()
    alone.hub.faults.add(NoEtag())
    alone.control.cancel()
    with pytest.raises(Canceled):
        alone.fetch(url)
    alone.control = Control()
    alone.target().part.write_bytes(OTHER.read()[:SEGMENT])
    assert alone.fetch(url).received == SIZE
    assert alone.bytes_of() == CONTENT.read()


def test_a_file_that_changed_meanwhile_starts_again(alone: World) -> None:
    url = alone.serve()
    stop_after(alone, 5, url)
    alone.serve(OTHER)
    alone.fetch(url)
    assert alone.bytes_of() == OTHER.read()
    assert "restart" in alone.diary.codes


def test_another_digest_from_the_source_starts_again(alone: World) -> None:
    url = alone.serve()
    stop_after(alone, 5, url, digest=DIGEST)
    alone.serve(OTHER)
    fetched = alone.fetch(url, digest=sha256(OTHER))
    assert alone.bytes_of() == OTHER.read()
    assert fetched.received == SIZE


def test_a_complete_part_needs_no_network(world: World) -> None:
    url = world.serve()
    first = world.fetch(url, digest=DIGEST)
    world.hub.requests.clear()
    again = world.fetch(url, digest=DIGEST)
    assert again.computed == first.computed
    assert (again.received, len(world.hub.requests)) == (0, 0)


@pytest.mark.parametrize("damaged", [(0,), (7,), (3, 4, 20), (32,)], ids=str)
def test_only_damaged_pieces_are_fetched_again(world: World, damaged: tuple[int, ...]) -> None:
    url = world.serve()
    world.fetch(url, digest=DIGEST)
    world.hub.requests.clear()
    with world.target().part.open("r+b") as part:
        for index in damaged:
            part.seek(index * PIECE + 17)
            part.write(b"\0damaged\0")
    fetched = world.fetch(url, digest=DIGEST)
    assert world.bytes_of() == CONTENT.read()
    assert fetched.computed.sha256 == CONTENT.sha256
    assert world.hub.bytes_sent() == sum(min(PIECE, SIZE - index * PIECE) for index in damaged)


def ledger_of(world: World) -> Path:
    return world.target().ledger


def torn(world: World) -> None:
    ledger = ledger_of(world)
    ledger.write_bytes(ledger.read_bytes()[:-20])


def garbled_line(world: World) -> None:
    lines = ledger_of(world).read_bytes().splitlines(keepends=True)
    lines[5] = b"\xff not a line \x00\n"
    ledger_of(world).write_bytes(b"".join(lines))


def lying_line(world: World) -> None:
    lines = ledger_of(world).read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].partition(b" ")[0] + b" " + b"0" * 64 + b"\n"
    ledger_of(world).write_bytes(b"".join(lines))


def line_of_a_piece_that_is_not_there(world: World) -> None:
    with ledger_of(world).open("ab") as ledger:
        ledger.write(b"999999 " + b"0" * 64 + b"\n")


def shortened_part(world: World) -> None:
    os.truncate(world.target().part, SIZE - 10)


def lengthened_part(world: World) -> None:
    os.truncate(world.target().part, SIZE + 10)


LITTLE_LOST = [
    torn,
    garbled_line,
    lying_line,
    line_of_a_piece_that_is_not_there,
    shortened_part,
    lengthened_part,
]


@pytest.mark.parametrize("harm", LITTLE_LOST, ids=lambda harm: harm.__name__)
def test_harm_costs_no_more_than_a_piece(world: World, harm: object) -> None:
    url = world.serve()
    world.fetch(url, digest=DIGEST)
    harm(world)  # type: ignore[operator]
    fetched = world.fetch(url, digest=DIGEST)
    assert world.bytes_of() == CONTENT.read()
    assert fetched.received <= PIECE


def no_ledger(world: World) -> None:
    ledger_of(world).unlink()


def no_part(world: World) -> None:
    world.target().part.unlink()


def foreign_ledger(world: World) -> None:
    ledger_of(world).write_bytes(b'{"format": "something else"}\n0 ' + b"0" * 64 + b"\n")


def binary_ledger(world: World) -> None:
    ledger_of(world).write_bytes(os.urandom(5000))


def wrong_types(world: World) -> None:
    ledger_of(world).write_bytes(
        b'{"format": "dreamforge-ledger-1", "size": "9", "piece_bytes": 65536, "digest": 7}\n'
    )


ALL_LOST = [no_ledger, no_part, foreign_ledger, binary_ledger, wrong_types]


@pytest.mark.parametrize("harm", ALL_LOST, ids=lambda harm: harm.__name__)
def test_what_cannot_be_believed_is_fetched_anew(world: World, harm: object) -> None:
    url = world.serve()
    world.fetch(url, digest=DIGEST)
    harm(world)  # type: ignore[operator]
    fetched = world.fetch(url, digest=DIGEST)
    assert world.bytes_of() == CONTENT.read()
    assert fetched.received == SIZE


@pytest.mark.parametrize("which", ["part", "ledger"])
@pytest.mark.parametrize("how", ["symlink_to", "hardlink_to"])
def test_a_planted_link_is_refused_and_its_victim_untouched(
    world: World, tmp_path: Path, which: str, how: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    getattr(getattr(world.target(), which), how)(victim)
    with pytest.raises(StoreFailed, match="link"):
        world.fetch(world.serve(), digest=DIGEST)
    assert victim.read_text() == "mine"


def test_a_pipe_in_place_of_the_part_is_refused(world: World) -> None:
    os.mkfifo(world.target().part)
    with pytest.raises(StoreFailed):
        world.fetch(world.serve(), digest=DIGEST)


def test_a_missing_folder_is_a_clear_error(world: World) -> None:
    world.folder = world.folder / "absent"
    with pytest.raises(StoreFailed, match="No such file"):
        world.fetch(world.serve(), digest=DIGEST)


def test_neither_address_nor_query_is_in_the_ledger(world: World) -> None:
    world.fetch(world.serve_signed(), digest=DIGEST)
    text = ledger_of(world).read_text()
    assert "Signature" not in text
    assert NAME not in text.replace(f'"file_name": "{NAME}"', "")
