"""From what a transfer's threads say to numbers that people see."""

from __future__ import annotations

import pytest

from downloader.library.watch import FileProgress, FileState
from downloader.recording import Listener, Rate, as_facts

pytestmark = pytest.mark.pure


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.note(0.0, 0) == 0
    assert rate.note(1.0, 100) == 100
    for second in range(2, 30):
        steady = rate.note(float(second), 100 + (second - 1) * 500)
    assert steady == 500


def test_a_rate_of_a_moment_that_has_no_length_is_nothing() -> None:
    rate = Rate()
    rate.note(5.0, 10)
    assert rate.note(5.0, 20) == 0


def test_a_listener_gives_each_change_once_and_the_newest_only() -> None:
    listener = Listener({"a": 100, "b": 50})
    listener.file(FileProgress("a", FileState.DOWNLOADING, 10, 100, 10))
    listener.file(FileProgress("a", FileState.DOWNLOADING, 60, 100, 60))
    listener.say("retry", "again", path="a")
    changed, said, standing = listener.collect()
    assert [(c.path, c.done) for c in changed] == [("a", 60)]
    assert [line.code for line in said] == ["retry"]
    assert (standing.done, standing.total, standing.received) == (60, 150, 60)
    assert standing.files == {"pending": 1, "downloading": 1, "done": 0, "failed": 0}
    assert listener.collect()[:2] == ([], [])


def test_without_every_size_there_is_no_total_and_no_time_left() -> None:
    listener = Listener({"a": 100, "b": None})
    listener.file(FileProgress("a", FileState.DOWNLOADING, 10, 100, 10))
    facts = as_facts(listener.collect()[2])
    assert (facts["bytes_total"], facts["eta_s"]) == (None, None)
