"""Keyset pages on a list where every moment has several rows."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.signing import Signer
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dreamforge_site.accounts.models import User
from tests.dreamforge_site.api.test_failures import assert_envelope

pytestmark = pytest.mark.django_db

URL = "/v1/callers"
START = datetime.datetime(2026, 11, 21, 12, 0, 0, 999_999, tzinfo=datetime.UTC)


@pytest.fixture
def callers() -> list[str]:
    """23 users, seven moments one microsecond apart, in the order the list has to give them."""
    for number in range(23):
        moment = START + datetime.timedelta(microseconds=number % 7)
        User.objects.create(username=f"user-{number:02}", date_joined=moment)
    return list(User.objects.order_by("-date_joined", "-id").values_list("username", flat=True))


def walk(client: Client, url: str, key: str) -> list[list[str]]:
    """The names on each page, following `Link`."""
    pages, following = [], url
    while following:
        response = client.get(following)
        assert response.status_code == 200, response.content
        pages.append([row["username"] for row in response.json()[key]])
        following = response.get("Link", "").partition(">")[0].removeprefix("<http://testserver")
    return pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 22, 23, 24, 200])
def test_a_walk_gives_every_row_once_in_order(
    sample: Client, callers: list[str], limit: int
) -> None:
    pages = walk(sample, f"{URL}?limit={limit}", "callers")
    assert [name for page in pages for name in page] == callers
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_an_ascending_list_of_plain_values_walks_too(sample: Client, callers: list[str]) -> None:
    pages = walk(sample, "/v1/rows?limit=5", "rows")
    assert [name for page in pages for name in page] == sorted(callers)


def test_rows_that_come_and_go_neither_repeat_nor_hide_others(
    sample: Client, callers: list[str]
) -> None:
    first = sample.get(f"{URL}?limit=5").json()
    User.objects.create(username="newest", date_joined=START + datetime.timedelta(days=1))
    User.objects.filter(username__in=callers[3:5]).delete()  # the cursor's own row among them
    rest = walk(sample, f"{URL}?limit=5&cursor={first['next_cursor']}", "callers")
    assert [name for page in rest for name in page] == callers[5:]


def test_the_last_page_has_no_next(sample: Client, callers: list[str]) -> None:
    response = sample.get(f"{URL}?limit=23")
    assert response.json()["next_cursor"] is None
    assert "Link" not in response


def test_an_empty_list_is_a_page(sample: Client) -> None:
    assert sample.get(URL).json() == {"callers": [], "next_cursor": None}


def test_the_link_keeps_the_other_parameters(sample: Client, callers: list[str]) -> None:
    link = sample.get(f"{URL}?limit=2&status=queued")["Link"]
    address, relation = link.split("; ")
    query = parse_qs(urlsplit(address.strip("<>")).query)
    assert relation == 'rel="next"'
    assert (query["limit"], query["status"]) == (["2"], ["queued"])


def test_a_page_costs_one_query_without_count_or_offset(sample: Client, callers: list[str]) -> None:
    cursor = sample.get(f"{URL}?limit=5").json()["next_cursor"]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        sample.get(f"{URL}?limit=5&cursor={cursor}")
    assert len(queries) == 1
    sql = queries[0]["sql"].upper()
    assert "COUNT(" not in sql
    assert "OFFSET" not in sql


def test_the_default_page_has_fifty(sample: Client) -> None:
    User.objects.bulk_create(User(username=f"many-{number}") for number in range(51))
    assert len(sample.get(URL).json()["callers"]) == 50


@pytest.mark.parametrize(
    "limit", ["0", "201", "-1", "1.0", "5e1", "", "abc", "9999999999", "%D9%A5", "+5", " 5", "5%00"]
)
def test_a_limit_out_of_bounds_is_refused(sample: Client, limit: str) -> None:
    envelope = assert_envelope(sample.get(f"{URL}?limit={limit}"), 422, "invalid_input")
    assert list(envelope["details"]["fields"]) == ["limit"]


def tampered(cursor: str) -> dict[str, str]:
    position, signature = cursor.split(":")
    return {
        "nonsense": "nonsense",
        "empty": "",
        "no signature": position,
        "other position": f"{position[:-2]}AA:{signature}",
        "other signature": f"{position}:{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
        "our key, other purpose": Signer(salt="other").sign_object(["x", "y"]),
        "very long": "A" * 100_000,
        "not ASCII": "é:é",
        "NUL": "a\0b",
    }


@pytest.mark.parametrize("kind", tampered("a:b"))
def test_a_tampered_cursor_is_malformed(sample: Client, callers: list[str], kind: str) -> None:
    cursor = sample.get(f"{URL}?limit=5").json()["next_cursor"]
    response = sample.get(URL, {"cursor": tampered(cursor)[kind]})
    assert_envelope(response, 400, "malformed_request")


@pytest.mark.parametrize("other", ["/v1/rows", "/v1/other-callers"])
def test_a_cursor_of_another_list_is_malformed(
    sample: Client, callers: list[str], other: str
) -> None:
    cursor = sample.get(f"{other}?limit=5").json()["next_cursor"]
    assert_envelope(sample.get(URL, {"cursor": cursor}), 400, "malformed_request")


def test_repeated_page_parameters_are_refused(sample: Client) -> None:
    envelope: Any = assert_envelope(sample.get(f"{URL}?limit=1&limit=2"), 422, "invalid_input")
    assert envelope["details"]["fields"] == {"limit": ["Given more than once."]}


def test_times_are_utc_with_microseconds(sample: Client) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
    User.objects.create(username="abroad", date_joined=moment)
    (row,) = sample.get(URL).json()["callers"]
    assert row["date_joined"] == "2026-01-01T21:34:05.000000Z"
