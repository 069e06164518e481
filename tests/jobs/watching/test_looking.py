"""What a look finds, however many jobs are watched, and what it costs."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import lifecycle
from jobs.models import Job
from jobs.watching import history, looking
from jobs.watching.listeners import GONE
from jobs.watching.looking import Look
from tests.jobs.watching import stories

pytestmark = pytest.mark.django_db(transaction=True)
Told = dict[uuid.UUID, int | None]


@pytest.fixture(autouse=True)
def unhelped_by_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test writes over the connection that looks, which SQLite's counter does not count."""
    monkeypatch.setattr(history, "data_version", lambda: None)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """One job is already more than a few, and no round over all is due again in this test."""
    monkeypatch.setattr(looking, "FEW_JOBS", 0)
    monkeypatch.setattr(looking, "ROUND_EVERY_S", 3600.0)


def seqs(look: Look, told: Told, job_id: uuid.UUID) -> list[int]:
    """Look, remember what was told, and say which events of the job were."""
    news = look.changes(told)
    told |= {changed: mark.last_seq for changed, (_, mark) in news.items()}
    return [line.seq for line in news[job_id][0].lines] if job_id in news else []


def test_new_job_is_told_where_it_stands_and_then_what_happens() -> None:
    lease, look = stories.running(), Look()
    told: Told = {lease.job_id: None}
    assert seqs(look, told, lease.job_id) == []
    assert told == {lease.job_id: 2}
    stories.tell(lease, 3)
    assert seqs(look, told, lease.job_id) == [3, 4, 5]
    assert seqs(look, told, lease.job_id) == []


@pytest.mark.usefixtures("many")
def test_running_job_among_many_is_told_at_once() -> None:
    lease, look = stories.running(), Look()
    told: Told = {lease.job_id: None}
    look.changes(told)
    told = {lease.job_id: 2}
    stories.tell(lease, 2)
    assert seqs(look, told, lease.job_id) == [3, 4]


@pytest.mark.usefixtures("many")
def test_job_among_many_that_ended_since_the_last_look_is_told_at_once() -> None:
    lease, look = stories.running(), Look()
    told: Told = {lease.job_id: None}
    seqs(look, told, lease.job_id)
    stories.tell(lease, 1)
    lifecycle.succeed(lease)
    news = look.changes(told)
    assert [line.seq for line in news[lease.job_id][0].lines] == [3, 4]
    assert news[lease.job_id][1].over


def test_job_among_many_that_never_ran_is_told_in_the_next_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looking, "FEW_JOBS", 0)
    job = Job.objects.create(type="selftest", queue="io")
    told: Told = {job.id: None}
    look = Look()
    seqs(look, told, job.id)
    lifecycle.cancel_queued(job.id)
    monkeypatch.setattr(looking, "ROUND_EVERY_S", 0.0)
    assert seqs(look, told, job.id) == [1]


@pytest.mark.usefixtures("many")
def test_look_at_a_thousand_quiet_jobs_asks_once() -> None:
    told: Told = dict.fromkeys((uuid.uuid4() for _ in range(1000)), None)
    look = Look()
    told = {job_id: mark.last_seq for job_id, (_, mark) in look.changes(told).items()}
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert look.changes(told) == {}
    assert len(asked) == 1


def test_deleted_job_is_told_as_gone() -> None:
    lease, look = stories.running(), Look()
    told: Told = {lease.job_id: 2}
    Job.objects.filter(id=lease.job_id).delete()
    assert look.changes(told)[lease.job_id][1].status == GONE


def test_who_was_away_for_long_is_sent_to_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "MOST_LINES", 3)
    lease = stories.running()
    stories.tell(lease, 4)
    stretch, _ = Look().changes({lease.job_id: 2})[lease.job_id]
    assert (stretch.after, stretch.upto, stretch.lines) == (6, 6, ())


def test_pages_follow_each_other_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_LINES", 4)
    job_id = stories.finished(10)
    pages = [history.page(job_id, after)[0] for after in (0, 4, 8)]
    assert [[line.seq for line in page.lines] for page in pages] == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10],
    ]


def test_page_of_long_lines_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_BYTES", 5000)
    lease = stories.running()
    stories.tell(lease, 5, text="x" * 3000)
    page, mark = history.page(lease.job_id, 2)
    assert [line.seq for line in page.lines] == [3, 4]
    assert (page.upto, mark.last_seq) == (4, 7)


def test_number_beyond_the_history_reads_it_from_the_beginning() -> None:
    page, _ = history.page(stories.finished(5), 77)
    assert [line.seq for line in page.lines] == [1, 2, 3, 4, 5]


def test_history_with_forgotten_progress_still_ends() -> None:
    job_id = stories.finished(6)
    Job.objects.get(id=job_id).events.filter(seq__in=(3, 4)).delete()
    page, mark = history.page(job_id, 2)
    assert ([line.seq for line in page.lines], page.upto) == ([5, 6], mark.last_seq)
