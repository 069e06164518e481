"""A listener's one promise: whatever comes when, every event is taken once and in order."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.watching import listeners
from jobs.watching.lines import Line, Stretch
from jobs.watching.listeners import GONE, Listener, Mark, Watcher

pytestmark = pytest.mark.pure
JOB = uuid.uuid4()


def line(seq: int, size: int = 10) -> Line:
    return Line(seq, "log", None, b"x" * size)


def stretch(after: int, upto: int, size: int = 10) -> Stretch:
    return Stretch(after, upto, tuple(line(seq, size) for seq in range(after + 1, upto + 1)))


def running(last_seq: int) -> Mark:
    return Mark(last_seq, "running")


def taken(listener: Listener) -> list[int]:
    return [line.seq for part in listener.take() for line in part.lines]


def caught_up(seen: int) -> Listener:
    """A listener that has read its page and stands at `seen`."""
    listener = Listener(JOB, seen)
    listener.begin_page()
    listener.turn_page(Stretch(seen, seen), running(seen))
    return listener


class Story(RuleBasedStateMachine):
    """A history that grows, a hub that tells it in stretches, pages read early and turned late."""

    @initialize(start=st.integers(0, 30))
    def begin(self, start: int) -> None:
        self.history = start
        self.told = start
        self.over = False
        self.start = start // 2
        self.listener = Listener(JOB, self.start)
        self.page: tuple[Stretch, Mark] | None = None
        self.got: list[int] = []

    def mark(self) -> Mark:
        return Mark(self.history, "succeeded" if self.over else "running")

    @precondition(lambda self: not self.over)
    @rule(events=st.integers(1, 9))
    def happen(self, events: int) -> None:
        self.history += events

    @precondition(lambda self: not self.over)
    @rule()
    def finish(self) -> None:
        self.history += 1
        self.over = True

    @rule()
    def tell(self) -> None:
        self.listener.feed(stretch(self.told, self.history), self.mark())
        self.told = self.history

    @rule()
    def hub_forgets(self) -> None:
        """A hub that is new to the job says where the history stands, and no more."""
        self.told = self.history
        self.listener.feed(Stretch(self.told, self.told), self.mark())

    @precondition(lambda self: self.page is None and self.listener.behind)
    @rule(size=st.integers(1, 12))
    def ask_for_a_page(self, size: int) -> None:
        seen = self.listener.begin_page()
        self.page = (stretch(seen, min(self.history, seen + size)), self.mark())

    @precondition(lambda self: self.page is not None)
    @rule()
    def turn_the_page(self) -> None:
        assert self.page is not None
        self.got += [line.seq for line in self.listener.turn_page(*self.page).lines]
        self.page = None

    @precondition(lambda self: self.page is not None)
    @rule()
    def lose_the_page(self) -> None:
        self.listener.fail_page()
        self.page = None

    @precondition(lambda self: self.page is None)
    @rule()
    def take(self) -> None:
        self.got += taken(self.listener)

    @invariant()
    def every_event_once_and_in_order(self) -> None:
        assert self.got == list(range(self.start + 1, self.start + 1 + len(self.got)))

    @invariant()
    def never_finished_before_all_was_taken(self) -> None:
        if self.listener.finished and self.page is None:
            assert self.got[-1:] in ([], [self.history])
            assert self.start + len(self.got) == self.history

    def teardown(self) -> None:
        """Once nothing more happens, it gets everything."""
        if self.page is not None:
            self.turn_the_page()
        self.tell()
        for _ in range(self.history + 5):
            self.take()
            if self.listener.behind:
                self.ask_for_a_page(12)
                self.turn_the_page()
        assert self.got == list(range(self.start + 1, self.history + 1))


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "BUFFERED_LINES", 15)


def test_any_order_of_pages_news_overflows_and_takes_yields_each_event_once() -> None:
    run_state_machine_as_test(Story, settings=settings(max_examples=150, stateful_step_count=40))


def test_news_that_does_not_follow_what_was_seen_sends_it_to_the_database() -> None:
    listener = caught_up(3)
    listener.feed(stretch(5, 7), running(7))
    assert taken(listener) == []
    assert listener.behind


def test_news_that_overlaps_what_was_seen_is_told_from_where_it_is_new() -> None:
    listener = caught_up(3)
    listener.feed(stretch(1, 6), running(6))
    assert taken(listener) == [4, 5, 6]


def test_too_many_lines_are_dropped_and_read_again_later() -> None:
    listener = caught_up(0)
    listener.feed(stretch(0, 16), running(16))
    assert listener.behind
    assert taken(listener) == []


def test_too_many_bytes_are_dropped_and_read_again_later() -> None:
    listener = caught_up(0)
    listener.feed(stretch(0, 2, size=listeners.BUFFERED_BYTES // 2 + 1), running(2))
    assert listener.behind


def test_job_that_was_deleted_is_over_and_finished() -> None:
    listener = caught_up(9)
    listener.feed(Stretch(0, 0), Mark(0, GONE))
    assert listener.finished
    assert listener.seen == 9


def test_number_beyond_the_history_begins_at_the_beginning() -> None:
    listener = Listener(JOB, 9999)
    listener.begin_page()
    page = listener.turn_page(stretch(0, 4), running(4))
    listener.feed(stretch(4, 6), running(6))
    assert [line.seq for line in page.lines] == [1, 2, 3, 4]
    assert taken(listener) == [5, 6]


def test_watcher_keeps_nothing_but_the_mark() -> None:
    watcher = Watcher(JOB)
    watcher.feed(stretch(0, 10), Mark(10, "failed"))
    assert watcher.over
    assert not hasattr(watcher, "_waiting")
