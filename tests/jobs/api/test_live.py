"""The doors of the real server: races for one key, clients that leave, a server that is killed."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from jobs.models import Event, IdempotencyKey, Job, Step
from jobs.states import State
from tests.jobs import invariants
from tests.jobs.service import Service, wait_until
from tests.live import LiveSite

from .conftest import a_job

pytestmark = pytest.mark.live

AT_ONCE = 50
BODY = {"type": "selftest", "items": 2}


class Caller:
    """A user with a key, who can call many times at once."""

    def __init__(self, site: LiveSite, name: str, *, staff: bool = False) -> None:
        self.user = User.objects.create_user(name, is_staff=staff)
        self.key = keys.make(self.user, "test", ("read", "jobs", "admin")).revealed
        self.site = site
        self.session = requests.Session()
        self.session.headers["X-API-Key"] = self.key
        self.session.mount("http://", HTTPAdapter(pool_maxsize=AT_ONCE))

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        address = f"{self.site.base_url}{path}"
        return self.session.post(address, json=body, headers=headers, timeout=60)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(f"{self.site.base_url}{path}", timeout=60, **options)

    def create(self, key: str) -> requests.Response:
        return self.post("/v1/jobs", BODY, **{"Idempotency-Key": key})


@pytest.fixture
def site(service: Service) -> LiveSite:
    return service.web(DF_AUTH="on", DF_WEB_PROCESSES="2")


@pytest.fixture
def mira(site: LiveSite) -> Iterator[Caller]:
    caller = Caller(site, "mira")
    yield caller
    caller.session.close()


def together(work: Any, arguments: list[Any]) -> list[Any]:
    """All at once, as far as threads can."""
    barrier = threading.Barrier(len(arguments))

    def one(argument: Any) -> Any:
        barrier.wait()
        return work(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(one, arguments))


def test_many_parallel_posts_of_a_few_keys_make_one_job_each(site: LiveSite, mira: Caller) -> None:
    keys_used = [f"key-{number}" for number in range(6)]
    answers: dict[str, list[requests.Response]] = {
        key: together(mira.create, [key] * AT_ONCE) for key in keys_used
    }
    ids = {key: {a.json()["job"]["id"] for a in found} for key, found in answers.items()}
    codes = {answer.status_code for found in answers.values() for answer in found}
    fresh = [
        answer
        for found in answers.values()
        for answer in found
        if "Idempotent-Replayed" not in answer.headers
    ]
    assert codes == {202}
    assert [len(found) for found in ids.values()] == [1] * len(keys_used)
    assert len(fresh) == Job.objects.count() == IdempotencyKey.objects.count() == len(keys_used)
    invariants.check(set().union(*ids.values()), ended=False)


def test_two_users_race_with_one_key_and_each_gets_a_job(site: LiveSite, mira: Caller) -> None:
    otto = Caller(site, "otto")
    answers = together(lambda caller: (caller, caller.create("one")), [mira, otto] * 20)
    otto.session.close()
    owners = {answer.json()["job"]["id"]: caller.user.pk for caller, answer in answers}
    assert sorted(owners.values(), key=str) == sorted([mira.user.pk, otto.user.pk], key=str)
    assert {str(pk): owner for pk, owner in Job.objects.values_list("id", "owner_id")} == owners


def test_two_bodies_race_with_one_key_and_one_of_them_wins(site: LiveSite, mira: Caller) -> None:
    def create(items: int) -> requests.Response:
        body = {"type": "selftest", "items": items}
        return mira.post("/v1/jobs", body, **{"Idempotency-Key": "one"})

    answers = together(create, [1, 2] * 15)
    codes = sorted({answer.status_code for answer in answers})
    assert codes == [202, 409]
    assert [answer.status_code for answer in answers].count(202) == 15
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"idempotency_conflict"}
    assert Job.objects.count() == 1


def test_a_requeue_raced_with_one_key_happens_once(site: LiveSite, mira: Caller) -> None:
    old = a_job(mira.user, "dead")
    path = f"/v1/jobs/{old.pk}/requeue"
    answers = together(lambda key: mira.post(path, {}, **{"Idempotency-Key": key}), ["one"] * 30)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job"]["id"] for answer in answers}) == 1
    assert Job.objects.filter(requeued_from=old).count() == 1


def test_dead_letters_requeued_by_several_at_once_run_once(site: LiveSite, mira: Caller) -> None:
    letters = [a_job(mira.user, "dead") for _ in range(10)]
    together(lambda _number: mira.post("/v1/jobs:requeue-dead", {}), list(range(8)))
    again = Job.objects.filter(requeued_from__in=letters)
    assert again.count() == len(letters)
    assert again.values("requeued_from").distinct().count() == len(letters)
    assert not Job.objects.dead().exists()


def test_a_client_that_leaves_before_the_answer_finds_its_job_by_the_key(
    site: LiveSite, mira: Caller
) -> None:
    for number in range(10):
        _send_and_leave(site, mira, f"left-{number}")
    answers = [mira.create(f"left-{number}") for number in range(10)]
    ids = {answer.json()["job"]["id"] for answer in answers}
    assert {answer.status_code for answer in answers} == {202}
    assert len(ids) == Job.objects.count() == 10
    invariants.check(ids, ended=False)


def _send_and_leave(site: LiveSite, caller: Caller, key: str) -> None:
    body = json.dumps(BODY).encode()
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {caller.key}\r\n"
        f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)


def test_a_server_killed_amid_posts_leaves_nothing_half_done(site: LiveSite, mira: Caller) -> None:
    accepted: dict[str, str] = {}
    stop = threading.Event()

    def post_on(number: int) -> None:
        count = 0
        while not stop.is_set():
            key = f"{number}-{count}"
            count += 1
            try:
                accepted[key] = mira.create(key).json()["job"]["id"]
            except (requests.RequestException, http.client.HTTPException):
                return

    clients = [threading.Thread(target=post_on, args=(number,)) for number in range(8)]
    for client in clients:
        client.start()
    wait_until(lambda: len(accepted) >= 20, "answers", site.log)
    site.kill()
    stop.set()
    for client in clients:
        client.join()
    site.start()
    last = {number: max(_counts(accepted, number), default=-1) + 1 for number in range(8)}
    again = {
        f"{number}-{count}": mira.create(f"{number}-{count}") for number, count in last.items()
    }
    repeated = {key: mira.create(key).json()["job"]["id"] for key in accepted}
    assert {answer.status_code for answer in again.values()} == {202}
    assert repeated == accepted
    jobs = Job.objects.count()
    assert jobs == len(accepted) + len(again) == IdempotencyKey.objects.exclude(status=0).count()
    assert Step.objects.count() == Event.objects.filter(code="job.queued").count() == jobs
    invariants.check([*accepted.values()], ended=False)


def _counts(accepted: dict[str, str], number: int) -> list[int]:
    return [int(key.partition("-")[2]) for key in accepted if key.startswith(f"{number}-")]


def test_a_wait_ends_with_the_job_and_a_replay_waits_too(
    service: Service, site: LiveSite, mira: Caller
) -> None:
    service.worker()
    first = mira.post("/v1/jobs?wait=50", BODY, **{"Idempotency-Key": "one"})
    again = mira.post("/v1/jobs", BODY, **{"Idempotency-Key": "one", "Prefer": "wait=50"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["job"]["status"] == again.json()["job"]["status"] == "succeeded"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Preference-Applied"] == "wait=50"
    assert first.headers["Location"] == f"/v1/jobs/{first.json()['job']['id']}"
    assert not [name for name in first.headers if "handoff" in name.lower()]
    events = mira.get(f"{first.headers['Location']}/progress/stream").content
    assert events.count(b"event: end") == 1
    log = mira.get(f"{first.headers['Location']}/logs")
    assert log.headers["Content-Type"] == "application/x-ndjson"
    assert [line["seq"] for line in map(json.loads, log.iter_lines())][
        -1
    ] == Job.objects.get().last_seq


def test_a_wait_that_is_over_tells_how_far_the_job_is(site: LiveSite, mira: Caller) -> None:
    created = mira.post("/v1/jobs?wait=0.2", BODY)
    seen = mira.get(f"{created.headers['Location']}?wait=0.2")
    assert (created.status_code, created.json()["job"]["status"]) == (202, "queued")
    assert (seen.status_code, seen.json()["status"]) == (200, "queued")


def test_head_sends_no_body_and_opens_no_stream(site: LiveSite, mira: Caller) -> None:
    job = a_job(mira.user)
    paths = [f"/v1/jobs/{job.pk}{rest}" for rest in ("", "?wait=30", "/logs", "/progress/stream")]
    answers = [
        mira.session.head(f"{site.base_url}{path}", timeout=10) for path in ("/v1/jobs", *paths)
    ]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 5


def test_a_huge_log_is_sent_in_bounded_memory(service: Service) -> None:
    site = service.web(DF_AUTH="on", DF_WEB_PROCESSES="1")
    mira = Caller(site, "mira")
    short, huge = _job_with_lines(mira.user, 2_000), _job_with_lines(mira.user, 40_000)
    _lines(mira, short)  # whatever the first such request costs is paid
    before = _rss_kb(site)
    sizes = _lines(mira, huge)
    grown = _rss_kb(site) - before
    tail = mira.get(f"/v1/jobs/{huge.pk}/logs?tail=3").content.splitlines()
    mira.session.close()
    assert len(sizes) == huge.last_seq
    assert grown < sum(sizes) // 1024 // 2
    assert [json.loads(line)["seq"] for line in tail] == [
        huge.last_seq - 2,
        huge.last_seq - 1,
        huge.last_seq,
    ]


def _job_with_lines(owner: User, count: int) -> Job:
    job = a_job(owner, State.SUCCEEDED)
    first, text = job.last_seq + 1, "x" * 2_000
    Event.objects.bulk_create(
        (Event(job=job, seq=first + at, code="note", message=text) for at in range(count)),
        batch_size=2_000,
    )
    Job.objects.filter(id=job.pk).update(last_seq=job.last_seq + count)
    job.refresh_from_db()
    return job


def _lines(caller: Caller, job: Job) -> list[int]:
    """The length of each line, none of them kept."""
    answer = caller.get(f"/v1/jobs/{job.pk}/logs", stream=True)
    assert "Content-Length" not in answer.headers
    return [len(line) for line in answer.iter_lines(chunk_size=65_536)]


def _rss_kb(site: LiveSite) -> int:
    """Of the server and its processes, together."""
    assert site.process is not None
    listing = _processes_of(site.process.pid)
    return sum(_status_kb(pid) for pid in listing)


def _processes_of(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            except OSError:
                continue
            if session == leader:
                found.append(int(entry.name))
    return found


def _status_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0
