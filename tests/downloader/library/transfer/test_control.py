"""Stopping, pausing, pacing; addresses that expire; secrets that stay at home."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from downloader.library.errors import AccessNeeded, Canceled, Unreachable
from downloader.library.http import Client
from downloader.library.sources.base import Location, RemoteFile
from downloader.library.transfer import Engine
from downloader.library.watch import Control, FileState
from tests import hubs
from tests.downloader.library.transfer.world import (
    CONTENT,
    KIB,
    NAME,
    PATIENCE,
    SIZE,
    World,
    sha256,
)
from tests.hubs.faults import Expired, RateCap, Stall

pytestmark = pytest.mark.pure

DIGEST = sha256(CONTENT)


def later(seconds: float, action: object) -> threading.Timer:
    timer = threading.Timer(seconds, action)  # type: ignore[arg-type]
    timer.start()
    return timer


# Stop and pause


@pytest.mark.parametrize("fault", [Stall(), Stall(at=1000), RateCap(200 * KIB)], ids=repr)
def test_a_cancel_takes_effect_within_a_second(world: World, fault: hubs.faults.Fault) -> None:
    world.client = Client(replace(PATIENCE, read_timeout_s=30))
    world.hub.faults.add(fault)
    stopped_at: list[float] = []

    def stop() -> None:
        stopped_at.append(time.monotonic())
        world.control.cancel()

    later(0.3, stop)
    with pytest.raises(Canceled):
        world.fetch(world.serve(), digest=DIGEST)
    assert time.monotonic() - stopped_at[0] < 1


def test_after_a_cancel_no_thread_is_left(world: World) -> None:
    world.hub.faults.add(RateCap(200 * KIB))
    later(0.2, world.control.cancel)
    with pytest.raises(Canceled):
        world.fetch(world.serve(), digest=DIGEST)
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("transfer")]


def test_a_canceled_control_asks_nobody(world: World) -> None:
    world.control.cancel()
    with pytest.raises(Canceled):
        world.fetch(world.serve(), digest=DIGEST)
    assert len(world.hub.requests) == 0


def test_a_pause_stops_the_bytes_and_what_follows_is_right(world: World) -> None:
    world.client = Client(replace(PATIENCE, read_timeout_s=30))
    world.hub.faults.add(RateCap(400 * KIB))
    url = world.serve()
    received: list[int] = []

    def look() -> None:
        received.append(world.diary.states[-1].received)

    later(0.3, world.control.pause)
    later(1.0, look)
    later(1.5, look)
    later(1.6, world.control.resume)
    world.fetch(url, digest=DIGEST)
    assert 0 < received[0] == received[1] < SIZE
    assert world.bytes_of() == CONTENT.read()


# Pace


def test_a_bandwidth_cap_is_kept(world: World) -> None:
    rate = 2 * 1024 * KIB
    world.options = replace(world.options, max_rate=rate)
    url = world.serve()
    begun = time.monotonic()
    world.fetch(url, digest=DIGEST)
    took = time.monotonic() - begun
    assert took > 0.94 * SIZE / rate  # a burst of 0.05 s is free


# Addresses that expire


def test_an_address_that_is_good_once_costs_no_progress(world: World) -> None:
    url = world.serve_signed()
    world.hub.cdn.max_uses = 3
    world.fetch(url, digest=DIGEST)
    assert world.bytes_of() == CONTENT.read()
    assert world.hub.bytes_sent("*", origin="cdn") < SIZE + 64 * KIB  # the rest is error pages
    assert "relocated" in world.diary.codes


def test_all_addresses_expire_in_the_middle(alone: World) -> None:
    url = alone.serve_signed()
    alone.hub.faults.add(hubs.faults.Afterwards(alone.hub.cdn.expire_all), after=3, times=1)
    fetched = alone.fetch(url, digest=DIGEST)
    assert alone.bytes_of() == CONTENT.read()
    assert fetched.received == SIZE
    assert alone.located == 2


def test_a_storage_that_moves_is_found_again(alone: World) -> None:
    url = alone.serve_signed()
    alone.hub.faults.add(
        hubs.faults.Afterwards(lambda: later(0, alone.hub.rotate_cdn)),
        origin="cdn",
        after=2,
        times=1,
    )
    alone.fetch(url, digest=DIGEST)
    assert alone.bytes_of() == CONTENT.read()


def test_addresses_that_never_work_end_in_a_bounded_number_of_questions(world: World) -> None:
    url = world.serve_signed()
    world.hub.faults.add(Expired(), origin="cdn")
    with pytest.raises(AccessNeeded):
        world.fetch(url, digest=DIGEST)
    assert world.located <= 16


# Secrets


def test_the_token_goes_to_the_hub_and_nowhere_else(world: World) -> None:
    url = world.serve_signed()
    token = world.hub.huggingface.token

    def locate(file: RemoteFile) -> Location:
        return Location(url, authorization=f"Bearer {token}")

    wanted = {NAME: (RemoteFile(NAME, NAME, SIZE, DIGEST), world.target())}
    Engine(world.client, world.options).fetch(wanted, locate, Control(), world.diary)
    at_the_hub = world.hub.requests.of(origin="huggingface")
    assert [entry.headers["authorization"] for entry in at_the_hub] == [f"Bearer {token}"] * len(
        at_the_hub
    )
    assert world.hub.leaks == []


# Many files


def test_many_files_come_all_and_are_told_one_by_one(world: World) -> None:
    contents = {f"f{number}.bin": hubs.Generated(number * 9000, number) for number in range(30)}
    files = {
        name: RemoteFile(name, world.serve(content, name), content.size, sha256(content))
        for name, content in contents.items()
    }
    told: list[str] = []
    wanted = {name: (file, world.target(name)) for name, file in files.items()}
    fetched = Engine(world.client, world.options).fetch(
        wanted, world.locate, world.control, world.diary, lambda path, _: told.append(path)
    )
    assert sorted(told) == sorted(contents) == sorted(fetched)
    assert {name: world.bytes_of(name) for name in contents} == {
        name: content.read() for name, content in contents.items()
    }
    done = {state.path for state in world.diary.states if state.state is FileState.DONE}
    assert done == set(contents)


def test_an_empty_file_comes_too(world: World) -> None:
    empty = hubs.InMemory(b"")
    fetched = world.fetch(world.serve(empty), size=0, digest=sha256(empty))
    assert (world.bytes_of(), fetched.computed.size) == (b"", 0)


def test_an_empty_file_of_unknown_size_comes_too(world: World) -> None:
    empty = hubs.InMemory(b"")
    fetched = world.fetch(world.serve(empty), size=None)
    assert (world.bytes_of(), fetched.computed.size) == (b"", 0)


@pytest.mark.parametrize("size", [None, SIZE])
@pytest.mark.parametrize("digest", [None, DIGEST], ids=["no digest", "digest"])
def test_whatever_the_source_knows_the_file_comes(
    world: World, size: int | None, digest: hubs.Content | None
) -> None:
    fetched = world.fetch(world.serve_signed(), size=size, digest=digest)  # type: ignore[arg-type]
    assert world.bytes_of() == CONTENT.read()
    assert fetched.file_name == NAME


def test_one_hopeless_file_ends_the_transfer_and_what_came_is_kept(world: World) -> None:
    world.hub.faults.add(hubs.faults.Status(500), path="*b.bin")
    good = RemoteFile("a.bin", world.serve(CONTENT, "a.bin"), SIZE, DIGEST)
    bad = RemoteFile("b.bin", world.serve(CONTENT, "b.bin"), SIZE, DIGEST)
    with pytest.raises(Unreachable, match=r"500"):
        world.fetch_all({"a.bin": good, "b.bin": bad})
    assert world.bytes_of("a.bin") == CONTENT.read()
    assert world.target("a.bin").ledger.exists()


def test_the_first_error_of_the_callers_own_is_passed_on(world: World) -> None:
    def fail(path: str, fetched: object) -> None:
        raise LookupError(path)

    wanted = {NAME: (RemoteFile(NAME, world.serve(), SIZE, DIGEST), world.target())}
    with pytest.raises(LookupError):
        Engine(world.client, world.options).fetch(
            wanted, world.locate, world.control, world.diary, fail
        )
