"""The express way gives the view's own answer or none: each is asked for both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import DataError, IntegrityError, OperationalError
from pytest_django import Settings

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import ApiKey, User
from dreamforge_site.front import express
from dreamforge_site.front.bridge import Answer, Bridge
from dreamforge_site.front.express import SHAPING, Express
from dreamforge_site.front.router import Front
from dreamforge_site.wsgi import application
from jobs import room, submission
from jobs.models import Event, IdempotencyKey, Job, Step
from tests.dreamforge_site.front.test_front import Messages, ask, envelope_of, scope
from tests.dreamforge_site.operations.lines import caught

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"type": "selftest", "items": 2}
# Of settings.MIDDLEWARE: what has no word in an answer without cookies, to an address of the API.
SILENT = {
    "dreamforge_site.operations.requests.RequestMiddleware",  # the express way records by itself
    "dreamforge_site.operations.probes.ProbeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
}


@dataclass
class Caller:
    user: User
    key: ApiKey

    def headers(self, idempotency_key: str | None = "one", **changes: str | None) -> dict[str, str]:
        usual: dict[str, str | None] = {
            "host": "127.0.0.1",
            "authorization": f"Bearer {self.key.revealed}",
            "content-type": "application/json",
            "idempotency-key": idempotency_key,
            "x-request-id": "mine",
            "user-agent": "a program",
        }
        renamed = {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in (usual | renamed).items() if value is not None}


def request(headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return scope(**{"path": "/v1/jobs", "headers": sent, **changes})


@pytest.fixture(autouse=True)
def _signing_in(settings: Settings) -> Iterator[None]:
    settings.AUTH_REQUIRED = True
    room.forget()
    yield
    room.forget()


@pytest.fixture
def mira() -> Caller:
    user = User.objects.create_user("mira")
    return Caller(user, keys.make(user, "test", ["read", "jobs"]))


@pytest.fixture
def fast() -> Iterator[Express]:
    found = Express(django_settings.EXPRESS)
    yield found
    found.close()


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    found = Bridge(application, threads=1)
    yield found
    found.close()


@pytest.fixture
def front(fast: Express, bridge: Bridge) -> Front:
    return Front(bridge, loopback_only=False, express=fast)


def by_express(fast: Express, asked: dict[str, Any], body: bytes | None = None) -> Answer | None:
    return asyncio.run(fast.ask(asked, json.dumps(BODY).encode() if body is None else body))


def at_once(fast: Express, asked: list[dict[str, Any]], bodies: list[bytes]) -> list[Any]:
    """As one round of the lane."""
    way = fast._ways[b"/v1/jobs"]
    calls = [way.call(one, body) for one, body in zip(asked, bodies, strict=True)]
    assert None not in calls
    return way.serve([call for call in calls if call is not None])


def posted(front: Front, asked: dict[str, Any], body: Any = BODY) -> Messages:
    return asyncio.run(ask(front, asked, [json.dumps(body).encode()]))


@pytest.mark.parametrize("https", [False, True])
@pytest.mark.parametrize("credentials", ["authorization", "x-api-key"])
def test_answer_is_the_views_own_header_for_header(
    https: bool, credentials: str, fast: Express, mira: Caller, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = https
    settings.SECURE_HSTS_SECONDS = 31_536_000 if https else 0
    scheme = {"scheme": "https" if https else "http"}
    by_key = {"authorization": None, "x_api_key": mira.key.revealed}
    given: dict[str, Any] = by_key if credentials == "x-api-key" else {}
    body = json.dumps(BODY).encode()
    quick = by_express(fast, request(mira.headers("one", **given), **scheme))
    django = Bridge(WSGIHandler(), threads=1)  # its middleware reads the settings of this moment
    slow = asyncio.run(django.ask(request(mira.headers("two", **given), **scheme), body))
    django.close()
    assert quick is not None
    assert _told(quick) == _told(slow)
    assert dict(quick.headers)[b"location"] == f"/v1/jobs/{_job(quick)['id']}".encode()
    assert (b"strict-transport-security" in dict(quick.headers)) is https


def _told(answer: Answer) -> tuple[Any, ...]:
    headers = {name: value for name, value in answer.headers if name != b"location"}
    job = {**_job(answer), "id": "", "created_at": ""}
    return answer.status, headers, list(_job(answer)), job, len(answer.headers)


def _job(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body or b"")["job"]
    return found


def test_what_is_stored_is_what_the_view_stores(
    fast: Express, bridge: Bridge, mira: Caller
) -> None:
    body = json.dumps({**BODY, "priority": -3}).encode()
    quick = by_express(fast, request(mira.headers("one")), body)
    slow = asyncio.run(bridge.ask(request(mira.headers("two")), body))
    assert quick is not None
    assert _stored(_job(quick)["id"]) == _stored(_job(slow)["id"])
    assert Job.objects.get(id=_job(quick)["id"]).request_id == "mine"


def _stored(job_id: str) -> list[Any]:
    own = ("id", "created_at", "updated_at", "available_at")
    job = {k: v for k, v in Job.objects.filter(id=job_id).values().get().items() if k not in own}
    steps = list(Step.objects.filter(job_id=job_id).values_list("name", "position", "status"))
    events = list(Event.objects.filter(job_id=job_id).values_list("seq", "code", "payload"))
    kept = IdempotencyKey.objects.filter(location=f"/v1/jobs/{job_id}")
    return [job, steps, events, list(kept.values_list("caller", "scope", "body_hash", "status"))]


def test_a_webhook_is_kept_with_the_job(fast: Express, mira: Caller) -> None:
    body = {**BODY, "webhook": {"url": "https://example.org/hook"}}
    answer = by_express(fast, request(mira.headers()), json.dumps(body).encode())
    assert answer is not None
    job = Job.objects.get(id=_job(answer)["id"])
    assert job.webhook.url == "https://example.org/hook"


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization": None},
        {"authorization": "Bearer eyJhbGciOi"},
        {"authorization": "Basic bWlyYTp4"},
        {"x_api_key": "dfk_too"},
        {"idempotency_key": None},
        {"content_type": None},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/json; charset=latin-1"},
        {"content_encoding": "gzip"},
        {"accept": "text/html"},
        {"accept": "text/event-stream"},
        {"cookie": "sessionid=x"},
        {"origin": "http://localhost:3000"},
        {"prefer": "wait=5"},
        {"x_something": "new"},
        {"host": "elsewhere.example.org"},
        {"host": "not a host"},
        {"host": None},
    ],
    ids=str,
)
def test_an_unusual_request_goes_the_ordinary_way(
    changes: dict[str, str | None], fast: Express, mira: Caller
) -> None:
    assert by_express(fast, request(mira.headers(**changes))) is None
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "GET"},
        {"method": "PUT"},
        {"query_string": b"wait=5"},
        {"path": "/v1/jobs/"},
        {"path": "/v1/%6aobs"},
        {"path": "/v1/queues"},
    ],
    ids=str,
)
def test_another_address_goes_the_ordinary_way(
    changes: dict[str, Any], fast: Express, mira: Caller
) -> None:
    assert by_express(fast, request(mira.headers(), **changes)) is None
    assert not Job.objects.exists()


def test_a_header_sent_twice_goes_the_ordinary_way(fast: Express, mira: Caller) -> None:
    asked = request(mira.headers())
    asked["headers"].append((b"idempotency-key", b"two"))
    assert by_express(fast, asked) is None


def test_plain_http_is_not_served_where_https_is_required(
    fast: Express, mira: Caller, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert by_express(fast, request(mira.headers())) is None
    assert by_express(fast, request(mira.headers(), scheme="https")) is not None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_input"),
        (b"{", 400, "malformed_request"),
        (b"[]", 400, "malformed_request"),
        (b'{"type": "selftest", "items": 1, "items": 2}', 400, "malformed_request"),
        (b'{"type": "selftest", "itmes": 2}', 422, "invalid_input"),
        (b'{"type": "selftest", "items": "2"}', 422, "invalid_input"),
        (b'{"type": "selftest", "items": 0}', 422, "invalid_input"),
        (b'{"type": "nothing"}', 422, "invalid_input"),
        (b'{"type": "selftest", "priority": 5}', 422, "invalid_input"),
        (b'{"type": "selftest", "webhook": {"url": "ftp://x"}}', 422, "invalid_input"),
        (b'{"type": "a\\u0000b"}', 422, "invalid_input"),
    ],
)
def test_a_wrong_body_is_answered_by_the_view(
    body: bytes, status: int, code: str, fast: Express, front: Front, mira: Caller
) -> None:
    assert by_express(fast, request(mira.headers()), body) is None
    fast._ways[b"/v1/jobs"]._refused.clear()
    messages = asyncio.run(ask(front, request(mira.headers()), [body]))
    assert (messages[0]["status"], envelope_of(messages)["code"]) == (status, code)
    assert not Job.objects.exists()
    assert not IdempotencyKey.objects.exists()


def _revoke(caller: Caller) -> None:
    keys.revoke(caller.key)


def _deactivate(caller: Caller) -> None:
    User.objects.filter(pk=caller.user.pk).update(is_active=False)


def _narrow(caller: Caller) -> None:
    ApiKey.objects.filter(pk=caller.key.pk).update(scopes=["read"])


def _misspell(caller: Caller) -> None:
    caller.key.revealed = caller.key.revealed[:-1] + "!"


@pytest.mark.parametrize(
    ("change", "status"), [(_revoke, 401), (_deactivate, 401), (_narrow, 403), (_misspell, 401)]
)
def test_a_key_that_ends_ends_at_once(change: Any, status: int, front: Front, mira: Caller) -> None:
    assert posted(front, request(mira.headers("before")))[0]["status"] == 202
    change(mira)
    assert posted(front, request(mira.headers("after")))[0]["status"] == status
    assert Job.objects.count() == 1


def test_a_full_queue_is_refused_by_the_view(
    front: Front, mira: Caller, settings: Settings
) -> None:
    settings.JOB_MAX_QUEUED_PER_USER = 1
    assert posted(front, request(mira.headers("one")))[0]["status"] == 202
    messages = posted(front, request(mira.headers("two")))
    assert (messages[0]["status"], envelope_of(messages)["code"]) == (429, "rate_limited")
    assert b"retry-after" in dict(messages[0]["headers"])


def test_who_was_refused_is_asked_for_the_ordinary_way_for_a_while(
    fast: Express, mira: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = json.dumps({"type": "nothing"}).encode()
    monkeypatch.setattr(express, "REFUSED_S", 0.0)
    assert by_express(fast, request(mira.headers("one")), wrong) is None
    assert by_express(fast, request(mira.headers("two"))) is not None
    monkeypatch.setattr(express, "REFUSED_S", 60.0)
    assert by_express(fast, request(mira.headers("three")), wrong) is None
    assert by_express(fast, request(mira.headers("four"))) is None


def test_the_same_request_again_is_replayed(front: Front, mira: Caller) -> None:
    first, second = (posted(front, request(mira.headers())) for _ in range(2))
    assert json.loads(first[1]["body"]) == json.loads(second[1]["body"])
    assert (b"idempotent-replayed", b"true") not in first[0]["headers"]
    assert (b"idempotent-replayed", b"true") in second[0]["headers"]
    other = posted(front, request(mira.headers()), {"type": "selftest"})
    assert envelope_of(other)["code"] == "idempotency_conflict"
    assert Job.objects.count() == 1


def test_one_key_twice_in_a_round_makes_one_job(fast: Express, mira: Caller) -> None:
    body = json.dumps(BODY).encode()
    asked = [request(mira.headers(key)) for key in ("one", "two", "one")]
    first, second, again = at_once(fast, asked, [body] * 3)
    assert None not in (first, second)
    assert again is None
    assert Job.objects.count() == 2


def test_two_callers_with_one_key_in_a_round_each_get_a_job(fast: Express, mira: Caller) -> None:
    user = User.objects.create_user("otto")
    otto = Caller(user, keys.make(user, "test", ["jobs"]))
    body = json.dumps(BODY).encode()
    answers = at_once(fast, [request(caller.headers()) for caller in (mira, otto)], [body] * 2)
    owners = [Job.objects.get(id=_job(answer)["id"]).owner_id for answer in answers]
    assert owners == [mira.user.pk, otto.user.pk]


def test_one_wrong_request_in_a_round_costs_the_others_nothing(fast: Express, mira: Caller) -> None:
    bodies = [json.dumps({"type": name}).encode() for name in ("selftest", "nothing", "selftest")]
    asked = [request(mira.headers(key)) for key in ("one", "two", "three")]
    first, wrong, last = at_once(fast, asked, bodies)
    assert wrong is None
    assert [_job(answer)["type"] for answer in (first, last)] == ["selftest"] * 2


def test_a_kind_that_needs_another_scope_is_left_to_the_view(fast: Express) -> None:
    mighty = User.objects.create_superuser("mighty")
    caller = Caller(mighty, keys.make(mighty, "test", ["read", "jobs"]))
    body = json.dumps({"type": "scan", "path": "acme"}).encode()
    assert by_express(fast, request(caller.headers()), body) is None
    assert not Job.objects.exists()


def test_a_taken_key_in_a_round_stores_nothing_of_it(fast: Express, mira: Caller) -> None:
    body = json.dumps(BODY).encode()
    at_once(fast, [request(mira.headers("taken"))], [body])
    asked = [request(mira.headers(key)) for key in ("new", "taken")]
    assert at_once(fast, asked, [body] * 2) == [None, None]
    assert Job.objects.count() == IdempotencyKey.objects.count() == 1
    assert Step.objects.count() == Event.objects.count() == 1


def test_many_at_once_with_a_few_keys_make_one_job_each(front: Front, mira: Caller) -> None:
    async def story() -> list[Messages]:
        posts = (
            ask(front, request(mira.headers(f"key-{number % 4}")), [json.dumps(BODY).encode()])
            for number in range(40)
        )
        return await asyncio.gather(*posts)

    answers = asyncio.run(story())
    assert {messages[0]["status"] for messages in answers} == {202}
    assert len({json.loads(messages[1]["body"])["job"]["id"] for messages in answers}) == 4
    assert Job.objects.count() == IdempotencyKey.objects.count() == 4


@pytest.mark.parametrize(
    ("error", "paused"),
    [(OperationalError("gone"), True), (IntegrityError("taken"), False), (DataError("x"), False)],
    ids=repr,
)
def test_a_database_that_fails_is_left_to_the_ordinary_way(
    error: Exception, paused: bool, fast: Express, mira: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any, **_options: Any) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(submission, "store", fail)
        assert by_express(fast, request(mira.headers())) is None
    again = by_express(fast, request(mira.headers()))
    assert (again is None) is paused


def test_a_request_leaves_its_line(fast: Express, mira: Caller) -> None:
    with caught() as lines:
        answer = by_express(fast, request(mira.headers()))
    assert answer is not None
    line = lines.of("request")
    names = ("method", "route", "path", "status", "user_id", "request_id")
    assert tuple(line[name] for name in names) == (
        "POST",
        "v1/jobs",
        "/v1/jobs",
        202,
        str(mira.user.pk),
        "mine",
    )
    assert mira.key.revealed not in lines.text


@pytest.mark.parametrize("sent", [None, "not valid!"])
def test_a_request_without_a_usable_id_gets_one(
    sent: str | None, fast: Express, mira: Caller
) -> None:
    answer = by_express(fast, request(mira.headers(x_request_id=sent)))
    assert answer is not None
    assert len(dict(answer.headers)[b"x-request-id"]) == 32


def test_every_middleware_has_its_place() -> None:
    """A new one either shapes the answers of the API, or a reader has seen that it does not."""
    assert [*SHAPING] == [name for name in django_settings.MIDDLEWARE if name not in SILENT]


@pytest.mark.parametrize("takes", [True, False])
def test_an_answer_is_written_in_one_piece_where_the_connection_takes_it(
    takes: bool, front: Front, mira: Caller
) -> None:
    written: list[tuple[int, list[tuple[bytes, bytes]], bytes]] = []

    class Connection:
        def give(self, *answer: Any) -> bool:
            written.append(answer)
            return takes

    messages = posted(front, request(mira.headers(), state={"connection": Connection()}))
    [(status, headers, body)] = written
    assert status == 202
    assert dict(headers)[b"content-length"] == str(len(body)).encode()
    assert [message["type"] for message in messages] == (
        [] if takes else ["http.response.start", "http.response.body"]
    )
