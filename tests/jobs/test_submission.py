"""A job is stored whole or not at all, in few statements, and nobody fills the queue for all."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from jobs import idempotency, room, rows, submission
from jobs.errors import IdempotencyConflict, InvalidParams, QueueFull
from jobs.idempotency import Reply
from jobs.models import Event, IdempotencyKey, Job, Step

LIMIT = 5
PARALLEL = 12


@pytest.fixture(autouse=True)
def _fresh_room() -> Iterator[None]:
    room.forget()
    yield
    room.forget()


@pytest.fixture
def owner(db: None) -> Any:
    return get_user_model().objects.create_user(username="owner")


@pytest.mark.django_db
def test_job_is_stored_with_its_steps_and_first_event(owner: Any) -> None:
    job = submission.submit("selftest", {"items": 3}, owner)
    stored = Job.objects.get(id=job.id)
    assert stored.params == {"items": 3, "ticks": 4, "tick_ms": 0}
    assert stored.summary == {"count": 3, "completed": 0}
    assert list(stored.steps.values_list("name", "position")) == [("run", 0)]
    assert list(stored.events.values_list("seq", "code")) == [(1, "job.queued")]
    assert stored.created_at == job.created_at


@pytest.mark.django_db(transaction=True)
def test_job_and_what_is_stored_along_go_together_or_not_at_all() -> None:
    clash = IdempotencyKey(
        caller="c", scope="s", key_hash="k", body_hash="b", expires_at="2030-01-01T00:00:00Z"
    )
    rows.insert([clash])
    with pytest.raises(IntegrityError):
        submission.submit("selftest", {}, None, along=lambda _job: [clash])
    assert not Job.objects.exists()
    assert not Event.objects.exists()
    assert not Step.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_whole_submission_is_one_statement_on_postgresql() -> None:
    with CaptureQueriesContext(connection) as said:
        submission.submit("selftest", {}, None)
    expected = {"postgresql": 1, "sqlite": 5}[connection.vendor]  # BEGIN, three INSERTs, COMMIT
    assert len(said) == expected


@pytest.mark.django_db
def test_bell_rings_only_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as rung:
        submission.submit("selftest", {}, None)
    assert len(rung) == 1


@pytest.mark.django_db
def test_one_more_job_than_the_limit_is_refused(owner: Any, settings: Settings) -> None:
    settings.JOB_MAX_QUEUED_PER_USER = LIMIT
    for _ in range(LIMIT):
        submission.submit("selftest", {}, owner)
    with pytest.raises(QueueFull) as refused:
        submission.submit("selftest", {}, owner)
    assert refused.value.retry_after_s > 0
    assert Job.objects.count() == LIMIT


@pytest.mark.django_db
def test_full_queue_of_one_owner_stops_no_other(owner: Any, settings: Settings) -> None:
    settings.JOB_MAX_QUEUED_PER_USER = 1
    submission.submit("selftest", {}, owner)
    other = get_user_model().objects.create_user(username="other")
    assert submission.submit("selftest", {}, other).owner_id == other.pk


@pytest.mark.django_db
def test_room_is_counted_only_now_and_then(owner: Any, settings: Settings) -> None:
    settings.JOB_MAX_QUEUED_PER_USER = 1000
    submission.submit("selftest", {}, owner)
    with CaptureQueriesContext(connection) as said:
        for _ in range(20):
            submission.submit("selftest", {}, owner)
    assert not [query for query in said if "COUNT" in query["sql"]]


@pytest.mark.django_db
def test_wrong_parameters_are_all_named_and_nothing_is_stored(owner: Any) -> None:
    with pytest.raises(InvalidParams) as refused:
        submission.submit("selftest", {"items": 0, "ticks": "many"}, owner)
    assert set(refused.value.details["fields"]) == {"items", "ticks"}
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_fault_of_one_submission_leaves_nothing_for_the_next(owner: Any) -> None:
    with pytest.raises(InvalidParams):
        submission.submit("selftest", {"items": 0}, owner)
    assert submission.submit("selftest", {}, owner).params["items"] == 1


def once(key: str, body: dict[str, Any], caller: str = "caller") -> Reply:
    def work() -> Reply:
        job = submission.submit("selftest", body, None)
        return Reply(202, {"job": {"id": str(job.id)}}, f"/v1/jobs/{job.id}")

    return idempotency.once(caller=caller, scope="test", key=key, body=body, work=work)


@pytest.mark.django_db
def test_second_request_with_a_key_gets_the_first_reply() -> None:
    first, second = once("key", {"items": 2}), once("key", {"items": 2})
    assert (second.answer, second.location, second.replayed) == (first.answer, first.location, True)
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_same_key_with_another_body_is_a_conflict() -> None:
    once("key", {"items": 2})
    with pytest.raises(IdempotencyConflict):
        once("key", {"items": 3})
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_key_of_another_caller_is_another_key() -> None:
    once("key", {}, "one")
    assert not once("key", {}, "two").replayed


@pytest.mark.django_db
def test_expired_key_is_free_again() -> None:
    once("key", {})
    IdempotencyKey.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert not once("key", {}).replayed
    assert Job.objects.count() == 2


@pytest.mark.django_db
def test_refused_work_keeps_no_key() -> None:
    with pytest.raises(InvalidParams):
        once("key", {"items": 0})
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db
def test_kept_reply_is_given_even_when_the_work_would_be_refused_now(
    owner: Any, settings: Settings
) -> None:
    settings.JOB_MAX_QUEUED_PER_USER = 1

    def work() -> Reply:
        job = submission.submit("selftest", {}, owner)
        return Reply(202, {"job": {"id": str(job.id)}})

    facts: dict[str, Any] = {"caller": "c", "scope": "s", "key": "k", "body": {}}
    first = idempotency.once(**facts, work=work)
    assert idempotency.once(**facts, work=work).answer == first.answer


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_with_one_key_make_one_job() -> None:
    replies: list[Reply] = []
    begin = threading.Barrier(PARALLEL)

    def ask() -> None:
        begin.wait()
        try:
            replies.append(once("key", {}))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Job.objects.count() == 1
    assert {str(reply.answer) for reply in replies} == {str(replies[0].answer)}
    assert [reply.replayed for reply in replies].count(False) == 1
    assert len(replies) == PARALLEL


@pytest.mark.django_db
def test_lookup_finds_what_the_orm_finds() -> None:
    job = submission.submit("selftest", {"items": 7}, None)
    found = rows.Lookup(lambda kind: Job.objects.filter(type=kind)).first("selftest")
    assert found is not None
    assert found.id == job.id
    assert (found.params, found.created_at) == (job.params, job.created_at)
    assert rows.Lookup(lambda kind: Job.objects.filter(type=kind)).first("none") is None


@pytest.mark.django_db
def test_rows_of_several_shapes_are_stored_as_they_are() -> None:
    bare = Job(type="selftest", queue="io")
    full = Job(type="selftest", queue="io", model_id=uuid.uuid4(), params={"a": [None, "ü"]})
    rows.insert([bare, full])
    assert Job.objects.get(id=bare.id).model_id is None
    assert Job.objects.get(id=full.id).model_id == full.model_id
    assert Job.objects.get(id=full.id).params == full.params


@pytest.mark.django_db
@pytest.mark.parametrize("prepared", [False, True])
def test_rows_stored_together_are_those_stored_one_by_one(prepared: bool) -> None:
    made = [Job(type="selftest", queue="io", params={"%s": "100 %"}) for _ in range(3)]
    steps = [Step(job_id=job.id, name="run", position=0) for job in made]
    for _ in range(3):  # PostgreSQL keeps a plan from the second time on
        rows.insert([*made, *steps], prepared=prepared)
        stored = list(Job.objects.filter(steps__name="run").order_by("id"))
        assert stored == sorted(made, key=lambda job: job.id)
        assert [job.params for job in stored] == [{"%s": "100 %"}] * 3
        Job.objects.all().delete()


@pytest.mark.django_db
def test_a_prepared_lookup_finds_what_another_finds() -> None:
    job = submission.submit("selftest", {"items": 7}, None)
    lookup = rows.Lookup(lambda kind: Job.objects.filter(type=kind))
    found = [lookup.first("selftest", prepared=True) for _ in range(3)]
    assert found == [job] * 3
    assert lookup.first("none", prepared=True) is None


@pytest.mark.django_db(transaction=True)
def test_prepared_rows_go_together_or_not_at_all() -> None:
    job = Job(type="selftest", queue="io")
    orphan = Step(job_id=uuid.uuid4(), name="run", position=0)
    with pytest.raises(IntegrityError):
        rows.insert([job, orphan], prepared=True)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_draft_stores_nothing_and_several_are_stored_and_announced_together(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as rung:
        drafts = [submission.draft("selftest", {"items": items}, None) for items in (1, 2)]
        assert not Job.objects.exists()
        submission.store(drafts)
    assert Job.objects.count() == Step.objects.count() == Event.objects.count() == 2
    assert len(rung) == 2
