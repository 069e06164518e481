"""The embedded broker's own promises, below Celery."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection
from kombu.exceptions import ChannelError

from dreamforge_site import broker, embedded_broker
from dreamforge_site import celery as registered  # noqa: F401  names the transport to kombu

pytestmark = pytest.mark.pure


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Any]:
    with open_connection(tmp_path) as connection:
        yield connection.default_channel


def open_connection(data_dir: Path) -> Connection:
    found = broker.parse(None, data_dir)
    return Connection(found.url, transport_options=found.options)


def take_all(channel: Any, queue: str) -> list[Any]:
    messages = []
    while channel._size(queue):
        try:
            messages.append(channel._get(queue))
        except Empty:
            continue
    return messages


def test_messages_come_out_in_the_order_they_went_in(channel: Any) -> None:
    for number in range(5):
        channel._put("io", {"n": number})
    assert [channel._get("io")["n"] for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(Empty):
        channel._get("io")


def test_queues_do_not_see_each_other(channel: Any) -> None:
    channel._put("gpu", {"n": 1})
    with pytest.raises(Empty):
        channel._get("io")
    assert channel._size("gpu") == 1


def test_each_message_is_taken_once_by_many_at_once(tmp_path: Path) -> None:
    with open_connection(tmp_path) as connection:
        channel: Any = connection.default_channel
        for number in range(300):
            channel._put("io", {"n": number})

    def consume(_: int) -> list[int]:
        with open_connection(tmp_path) as mine:
            return [message["n"] for message in take_all(mine.default_channel, "io")]

    with ThreadPoolExecutor(4) as pool:
        taken = [number for part in pool.map(consume, range(4)) for number in part]
    assert sorted(taken) == list(range(300))


def test_messages_outlive_their_connection(tmp_path: Path) -> None:
    with open_connection(tmp_path) as connection:
        writing: Any = connection.default_channel
        writing._put("io", {"n": 1})
    with open_connection(tmp_path) as connection:
        reading: Any = connection.default_channel
        assert reading._get("io") == {"n": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null"])
def test_a_file_that_is_no_message_is_removed_and_the_next_is_taken(
    channel: Any, content: bytes
) -> None:
    folder = channel.queue_folder("io")
    channel._new_queue("io")
    (folder / "00000000000000000001-1-00000000.json").write_bytes(content)
    channel._put("io", {"n": 2})
    assert channel._get("io") == {"n": 2}
    assert channel._size("io") == 0


FOREIGN = (
    "notes.txt",
    "notes.json",
    "1-1-1.json",
    "00000000000000000001-1-00000000.json.swp",
    ".00000000000000000001-1-00000000.json",
    "00000000000000000001-1-00000000.json\n",
    "\u0660" * 20 + "-1-00000000.json",
)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_under_another_name_is_left_alone(channel: Any, name: str) -> None:
    channel._new_queue("io")
    foreign = channel.queue_folder("io") / name
    foreign.write_text('{"n": 1}')
    channel._put("io", {"n": 2})
    assert channel._size("io") == 1
    assert channel._get("io") == {"n": 2}
    assert channel._purge("io") == 0
    assert foreign.exists()


OURS = "00000000000000000001-1-00000000.json"


def place_folder(path: Path, _: Path) -> None:
    path.mkdir()


def place_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def place_link(path: Path, elsewhere: Path) -> None:
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("place", [place_folder, place_pipe, place_link])
def test_only_a_regular_file_is_a_message(
    tmp_path: Path, channel: Any, place: Callable[[Path, Path], None]
) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text('{"n": 1}')
    channel._new_queue("io")
    place(channel.queue_folder("io") / OURS, elsewhere)
    channel._put("io", {"n": 2})
    assert channel._size("io") == 1
    assert channel._get("io") == {"n": 2}
    assert channel._purge("io") == 0
    assert os.path.lexists(channel.queue_folder("io") / OURS)


def test_a_process_that_wrote_very_much_is_still_heard(
    channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_broker, "_numbers", itertools.count(100_000_000))
    channel._put("io", {"n": 1})
    assert channel._get("io") == {"n": 1}


def test_a_message_of_the_day_before_yesterday_is_dropped(channel: Any) -> None:
    channel._new_queue("io")
    written_ns = time.time_ns() - (embedded_broker.MAX_AGE_S + 60) * 1_000_000_000
    old = channel.queue_folder("io") / f"{written_ns:020d}-1-00000000.json"
    old.write_text(json.dumps({"n": 1}))
    with pytest.raises(Empty):
        channel._get("io")
    assert not old.exists()


@pytest.mark.parametrize("name", ["notes.txt", "-1.json", "00000000000000000001-1-00000000.json~"])
def test_a_foreign_file_is_left_alone(channel: Any, name: str) -> None:
    channel._new_queue("io")
    foreign = channel.queue_folder("io") / name
    foreign.write_text("{}")
    channel._put("io", {"n": 1})
    assert channel._size("io") == 1
    assert channel._get("io") == {"n": 1}
    assert channel._purge("io") == 0
    assert foreign.exists()


def test_a_full_queue_tells_its_publisher(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_broker, "MAX_WAITING", 2)
    channel._put("io", {"n": 1})
    channel._put("io", {"n": 2})
    with pytest.raises(ChannelError, match="'io' is full"):
        channel._put("io", {"n": 3})


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\0b", "x" * 300, "new\nline"])
def test_a_hostile_queue_name_is_refused(channel: Any, name: str) -> None:
    with pytest.raises(ChannelError, match="not a queue name"):
        channel._put(name, {"n": 1})


def test_a_half_written_draft_is_never_taken_and_is_cleared_later(
    tmp_path: Path, channel: Any
) -> None:
    (tmp_path / "broker" / "drafts" / "1-1-1.json").write_text("{")
    with pytest.raises(Empty):
        channel._get("io")
    assert broker.clear_drafts(tmp_path) == 1
    assert broker.clear_drafts(tmp_path) == 0


def test_purging_counts_what_it_removed(channel: Any) -> None:
    channel._put("io", {"n": 1})
    channel._put("io", {"n": 2})
    assert channel._purge("io") == 2
    assert channel._size("io") == 0


def test_only_the_owner_may_look_inside(tmp_path: Path, channel: Any) -> None:
    channel._put("io", {"n": 1})
    [message] = channel.queue_folder("io").iterdir()
    assert stat.S_IMODE(message.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700
    assert stat.S_IMODE(message.parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_a_broker_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "broker").touch()
    with open_connection(tmp_path) as connection, pytest.raises(connection.connection_errors):
        connection.connect()


def test_a_disk_that_is_full_leaves_no_draft(tmp_path: Path, channel: Any) -> None:
    channel._new_queue("io")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            channel._put("io", {"n": "more than ten bytes"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert list((tmp_path / "broker" / "drafts").iterdir()) == []
    assert channel._size("io") == 0
