"""The pure parts: segments, the ledger's lines, the bucket, the governor."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.transfer.ledger import Identity, Ledger
from downloader.library.transfer.pace import Bucket, Governor
from downloader.library.transfer.segments import Segments

pytestmark = pytest.mark.pure


# Segments


def test_claims_come_in_file_order_and_never_twice() -> None:
    segments = Segments(1050, 100)
    claims = [segments.claim(300, 0) for _ in range(5)]
    spans = [(claim.start, claim.end) for claim in claims if claim]
    assert spans == [(0, 300), (300, 600), (600, 900), (900, 1050)]
    assert claims[4] is None


def test_what_a_claim_did_not_finish_is_claimed_again() -> None:
    segments = Segments(1000, 100)
    claim = segments.claim(400, 0)
    assert claim
    claim.at = 250
    segments.finish(0)
    segments.finish(1)
    assert segments.give_back(claim) == 50
    again = segments.claim(1000, 0)
    assert again
    assert (again.start, again.end) == (200, 1000)


def test_the_tail_of_a_claim_goes_to_another() -> None:
    segments = Segments(1000, 100)
    claim = segments.claim(1000, 0)
    assert claim
    claim.at = 250
    tail = segments.split(claim, 0)
    assert tail
    assert (claim.end, tail.start, tail.end) == (600, 600, 1000)


def test_a_claim_that_is_nearly_done_is_not_split() -> None:
    segments = Segments(1000, 100)
    claim = segments.claim(200, 0)
    assert claim
    claim.at = 120
    assert segments.split(claim, 0) is None


def test_recorded_pieces_are_not_claimed_until_they_prove_damaged() -> None:
    segments = Segments(950, 100)
    assert segments.recorded([0, 1, 3, 9, 77]) == 350
    first = segments.claim(1000, 0)
    assert first
    assert (first.start, first.end) == (200, 300)
    segments.claim(1000, 0)
    segments.damaged(1)
    again = segments.claim(1000, 0)
    assert again
    assert (again.start, again.end) == (100, 200)


@given(st.integers(1, 5000), st.integers(1, 700), st.lists(st.integers(0, 60)), st.randoms())
def test_whatever_happens_every_piece_is_fetched_once_and_the_end_is_seen(
    size: int, most: int, recorded: list[int], random: object
) -> None:
    segments = Segments(size, 100)
    pieces = -(-size // 100)
    segments.recorded(recorded)
    fetched = [index for index in range(pieces) if index in recorded]
    while claim := segments.claim(most, 0):
        stop = min(claim.end, claim.start + 100 * random.randint(1, 9))  # type: ignore[attr-defined]
        for index in range(claim.start // 100, -(-stop // 100)):
            segments.finish(index)
            fetched.append(index)
        claim.at = stop
        segments.give_back(claim)
    assert sorted(fetched) == list(range(pieces))
    assert segments.complete
    assert segments.missing_bytes == 0


# The ledger


def test_a_ledger_says_what_it_was_told(tmp_path: Path) -> None:
    identity = Identity(100, 10, "sha256:ab", '"etag"', "https://hub.test", "naïve name.bin")
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.load() is None
    ledger.begin(identity)
    ledger.append(3, b"\1" * 32)
    ledger.append(1, b"\2" * 32)
    ledger.close()
    recorded = Ledger(tmp_path / "ledger").load()
    assert recorded
    assert recorded.identity == identity
    assert recorded.pieces == {3: b"\1" * 32, 1: b"\2" * 32}


@pytest.mark.parametrize("cut", range(1, 80, 7))
def test_a_torn_line_does_not_spoil_the_next_one(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.begin(Identity(100, 10))
    ledger.append(0, b"\1" * 32)
    whole = path.read_bytes()
    ledger.append(1, b"\2" * 32)
    path.write_bytes(path.read_bytes()[: len(whole) + min(cut, 66)])
    again = Ledger(path)
    again.load()
    again.append(2, b"\3" * 32)
    recorded = Ledger(path).load()
    assert recorded
    assert set(recorded.pieces) == {0, 2}


# The pace


def test_a_bucket_spreads_the_bytes_over_the_time() -> None:
    bucket = Bucket(1000)
    now, waits = 100.0, 0.0
    for _ in range(200):
        wait = bucket.take(50, now)
        waits += wait
        now += wait
    assert 9.8 < waits < 10


def test_a_bucket_without_a_rate_never_waits() -> None:
    assert Bucket(0).take(1 << 40, 0.0) == 0


def run(governor: Governor, rate_of: object, seconds: float, busy: float = 0.1) -> list[int]:
    """The connections a governor allows over time, when `rate_of` them is the rate."""
    now, received, allowed = 0.0, 0.0, []
    while now < seconds:
        now += 0.05
        received += 0.05 * rate_of(governor.allowed)  # type: ignore[operator]
        governor.sample(now, int(received), now * busy)
        allowed.append(governor.allowed)
    return allowed


def test_connections_grow_while_each_brings_its_share() -> None:
    assert run(Governor(1, 32, 0.0), lambda count: 25e6 * count, 1)[-1] == 32


def test_connections_that_bring_nothing_are_given_up() -> None:
    allowed = run(Governor(1, 32, 0.0), lambda count: 100e6, 20)
    assert max(allowed) == 4
    assert allowed.count(1) > 0.9 * len(allowed)


def test_connections_stop_growing_where_the_link_is_full() -> None:
    allowed = run(Governor(1, 32, 0.0), lambda count: min(25e6 * count, 110e6), 3)
    assert allowed[-1] in (4, 16)


def test_a_busy_processor_gets_no_more_connections() -> None:
    assert max(run(Governor(1, 32, 0.0), lambda count: 25e6 * count, 3, busy=0.95)) == 1


def test_a_server_that_asks_for_less_gets_less_for_a_while() -> None:
    governor = Governor(1, 32, 0.0)
    run(governor, lambda count: 25e6 * count, 1)
    governor.back_off(1.0)
    assert governor.allowed == 16
