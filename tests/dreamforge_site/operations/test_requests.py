"""A request's id, its one log line, its measurement; and no secret in any of them."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator

import pytest
import structlog
from django.test import Client, override_settings

from dreamforge_site import correlation
from dreamforge_site.accounts.models import User
from tests.dreamforge_site.operations.lines import caught

URLS = "tests.dreamforge_site.operations.urls"


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=URLS):
        yield


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("header", ["X-Request-Id", "X-Client-Request-Id"])
@pytest.mark.parametrize("sent", ["a", "A-z_0.9", "x" * 128])
def test_a_clients_valid_id_is_echoed(header: str, sent: str, client: Client) -> None:
    assert client.get("/items/1", headers={header: sent})["X-Request-Id"] == sent


@pytest.mark.parametrize(
    "sent", ["", "x" * 129, "a b", "é", "a\x1b[2J", "a,b", "<script>", "a/../b"]
)
def test_an_invalid_id_is_replaced(sent: str, client: Client) -> None:
    answered = client.get("/items/1", headers={"X-Request-Id": sent})["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", answered)


def test_an_invalid_first_id_does_not_hide_a_valid_second(client: Client) -> None:
    sent = {"X-Client-Request-Id": "not valid", "X-Request-Id": "valid"}
    assert client.get("/items/1", headers=sent)["X-Request-Id"] == "valid"


def test_two_requests_get_two_ids(client: Client) -> None:
    ids = {client.get("/items/1")["X-Request-Id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/crash", 500)])
def test_errors_carry_the_id_too(path: str, status: int, client: Client) -> None:
    answered = client.get(path, headers={"X-Request-Id": "mine"})
    assert (answered.status_code, answered["X-Request-Id"]) == (status, "mine")


def test_every_line_of_a_request_has_its_id_and_later_lines_do_not(client: Client) -> None:
    with caught() as lines:
        client.get("/items/7", headers={"X-Request-Id": "mine"})
        structlog.get_logger("later").info("afterwards")
    assert lines.of("item_shown")["request_id"] == "mine"
    assert lines.of("request")["request_id"] == "mine"
    assert "request_id" not in lines.of("afterwards")


def test_a_request_is_one_line_with_its_facts(client: Client) -> None:
    with caught() as lines:
        client.get("/items/7?token=canary")
    line = lines.of("request")
    facts = {name: line[name] for name in ("method", "route", "path", "status", "user_id")}
    assert facts == {
        "method": "GET",
        "route": "items/<int:pk>",
        "path": "/items/7",
        "status": 200,
        "user_id": None,
    }
    assert line["duration_ms"] >= 0
    assert "canary" not in lines.text


def test_what_no_route_matches_is_told_as_such(client: Client) -> None:
    with caught() as lines:
        client.get("/nowhere/at/all")
    assert lines.of("request")["route"] == "unmatched"


def test_probes_are_told_only_when_debugging(client: Client) -> None:
    with caught() as lines:
        client.get("/healthz")
    assert lines.text == ""
    with caught(level=logging.DEBUG) as lines:
        client.get("/healthz")
    assert lines.of("request")["level"] == "debug"


def test_django_does_not_tell_a_404_again(client: Client) -> None:
    with caught() as lines:
        client.get("/nowhere")
    assert [line["event"] for line in lines.parsed] == ["request"]


def test_a_crash_is_told_once_with_its_traceback_and_without_secrets(client: Client) -> None:
    sent = {
        "Authorization": "Bearer canary",
        "X-API-Key": "dfk_canary00_canary",
        "Cookie": "sessionid=canary",
    }
    with caught() as lines:
        client.get("/crash", headers=sent)
    crashes = [line for line in lines.parsed if "exception" in line]
    assert len(crashes) == 1
    assert crashes[0]["exception"]["type"] == "RuntimeError"
    assert "crashed while holding" in crashes[0]["exception"]["traceback"]
    assert "canary" not in lines.text


@pytest.mark.django_db
def test_the_line_names_the_user_only_if_somebody_asked_who_it_is(
    client: Client, django_assert_num_queries: object
) -> None:
    user = User.objects.create(username="someone")
    client.force_login(user)
    with caught() as lines:
        client.get("/items/7")
    assert lines.of("request")["user_id"] is None
    with override_settings(ROOT_URLCONF="dreamforge_site.urls"), caught() as lines:
        client.get("/admin/")
    assert lines.of("request")["user_id"] == str(user.pk)
    assert uuid.UUID(lines.of("request")["user_id"]) == user.pk


def test_a_child_process_inherits_the_id_and_only_a_valid_one() -> None:
    with structlog.contextvars.bound_contextvars(request_id="mine"):
        given = correlation.for_child({"PATH": "/bin"})
    assert given == {"PATH": "/bin", "DREAMFORGE_REQUEST_ID": "mine"}
    assert correlation.inherited(given) == "mine"
    assert correlation.inherited({"DREAMFORGE_REQUEST_ID": "a\nb"}) is None
    assert correlation.for_child({"PATH": "/bin"}) == {"PATH": "/bin"}
