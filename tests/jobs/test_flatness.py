"""With 100,000 jobs in the table, nothing that is asked often reads more than a page of them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import claims, queueing
from jobs.models import Job
from jobs.states import State

MANY = 100_000
OWNERS = 20
TYPES = ("selftest",)
TIMES = ("created_at", "available_at", "started_at", "finished_at")
SQLITE_THEN = "strftime('%Y-%m-%d %H:%M:%f', {}, -n || ' seconds')"
# In the words of either database; the small table of queues may be read whole.
SORT_OR_SCAN = r'TEMP B-TREE|"Sort"|SCAN jobs_job(?! USING)|"Seq Scan"[^{}]*"jobs_job"'


@pytest.fixture(scope="module")
def crowd(django_db_setup: None, django_db_blocker: Any) -> Iterator[uuid.UUID]:
    """The owner of one in twenty of 100,000 jobs, half of which wait."""
    with django_db_blocker.unblock():
        users = [
            get_user_model().objects.create_user(username=f"crowd-{at}") for at in range(OWNERS)
        ]
        Job.objects.bulk_create(_patterns(users))
        _multiply()
        _analyze()
        yield users[0].pk
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM jobs_job")
        get_user_model().objects.filter(username__startswith="crowd-").delete()


def _patterns(users: list[Any]) -> Iterator[Job]:
    """One job that waits and one that is over of every owner."""
    now = timezone.now()
    for at, user in enumerate([*users, *users]):
        facts: dict[str, Any] = {"created_at": now, "available_at": now}
        if at < OWNERS:
            facts |= {"status": State.SUCCEEDED, "started_at": now, "finished_at": now}
        yield Job(type="selftest", queue="io", owner=user, share=str(user.pk), **facts)


def _multiply() -> None:
    """As many more of each as make a crowd, one older than the other: by the database itself, which
    takes a tenth of the time."""
    postgres = connection.vendor == "postgresql"
    new_id = "gen_random_uuid()" if postgres else "lower(hex(randomblob(16)))"
    then = "{} - n * interval '1 second'" if postgres else SQLITE_THEN
    columns = [str(field.column) for field in Job._meta.concrete_fields]
    chosen = [_value(column, new_id, then) for column in columns]
    names = ", ".join(columns)
    copies = MANY // (2 * OWNERS) - 1
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_job"  # noqa: S608  names of columns and functions, all ours
            f" ({names}) WITH RECURSIVE numbers(n) AS"
            f" (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {copies})"
            f" SELECT {', '.join(chosen)} FROM jobs_job, numbers"
        )


def _value(column: str, new_id: str, then: str) -> str:
    if column == "id":
        return new_id
    return then.format(column) if column in TIMES else column


def _analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def explained(sql: str) -> str:
    how = "EXPLAIN (FORMAT JSON)" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{how} {sql}")
        return str(cursor.fetchall()).replace("'", '"')


def plan(jobs: QuerySet[Any]) -> str:
    options = {"format": "json"} if connection.vendor == "postgresql" else {}
    return jobs.explain(**options)


@pytest.mark.django_db
def test_claim_reads_the_index_in_order_and_sorts_nothing(crowd: uuid.UUID) -> None:
    with CaptureQueriesContext(connection) as said:
        assert claims.next_lease("io", "holder", TYPES, {uuid.uuid4()}) is not None
    looks = [query["sql"] for query in said if 'FROM "jobs_job"' in query["sql"]]
    plans = [explained(sql) for sql in looks if sql.startswith("SELECT")]
    assert all("job_claim" in said for said in plans[:2])
    assert not re.findall(SORT_OR_SCAN, "".join(plans))


LISTS = {
    "all": {},
    "own": {"owner": True},
    "by status": {"status": State.QUEUED},
    "own by status": {"owner": True, "status": State.QUEUED},
    "by type": {"type": "selftest"},
}


@pytest.mark.django_db
@pytest.mark.parametrize("filters", LISTS.values(), ids=LISTS)
def test_list_reads_an_index_in_order_and_sorts_nothing(
    crowd: uuid.UUID, filters: dict[str, Any]
) -> None:
    wanted = {**filters, **({"owner": crowd} if "owner" in filters else {})}
    said = plan(Job.objects.filter(**wanted).order_by("-created_at", "-id")[:51])
    assert "job_by_" in said
    assert not re.findall(SORT_OR_SCAN, said)


@pytest.mark.django_db
def test_list_and_status_cost_as_many_queries_as_in_an_empty_table(crowd: uuid.UUID) -> None:
    client = APIClient()
    client.force_authenticate(get_user_model().objects.get(pk=crowd))
    newest = Job.objects.filter(owner_id=crowd, status=State.SUCCEEDED).first()
    assert newest is not None
    with CaptureQueriesContext(connection) as listing:
        page = client.get("/v1/jobs?limit=50").json()
    with CaptureQueriesContext(connection) as looking:
        client.get(f"/v1/jobs/{newest.pk}")
    assert len(page["jobs"]) == 50
    assert len(listing) == 1
    assert len(looking) <= 2


@pytest.mark.django_db
def test_post_beside_a_full_queue_of_others_reads_and_locks_none_of_it(crowd: uuid.UUID) -> None:
    """A crowd of one user cannot make another's POST slower (A5)."""
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("newcomer"))
    client.post("/v1/jobs", {"type": "selftest"}, format="json")
    with CaptureQueriesContext(connection) as said:
        answer = client.post("/v1/jobs", {"type": "selftest"}, format="json")
    assert answer.status_code == 202
    looks = [query["sql"] for query in said if query["sql"].startswith("SELECT")]
    assert not re.findall(SORT_OR_SCAN, "".join(explained(sql) for sql in looks))
    assert not [sql for sql in looks if '"jobs_job"' in sql and "FOR UPDATE" in sql]
    assert len(said) <= 8


@pytest.mark.django_db
def test_place_in_a_deep_queue_is_found_in_a_bounded_number_of_queries(crowd: uuid.UUID) -> None:
    last = Job.objects.filter(owner_id=crowd, status=State.QUEUED).first()
    assert last is not None
    with CaptureQueriesContext(connection) as said:
        place = queueing.place(last)
    assert place is not None
    assert place.position > queueing.COUNTED_JOBS
    assert len(said) <= 2 * queueing.COUNTED_SHARES + 6
