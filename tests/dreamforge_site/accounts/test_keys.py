from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from dreamforge_site.accounts import clock, keys
from dreamforge_site.accounts.errors import InvalidInputError, UnauthenticatedError
from dreamforge_site.accounts.models import ApiKey, User

from . import parallel
from .conftest import Clock


def test_a_key_shows_its_prefix_and_hides_its_secret(mira: User) -> None:
    key = keys.make(mira, "renders", ["read"])
    assert key.revealed.startswith(f"dfk_{key.prefix}_")
    stored = ApiKey.objects.get()
    assert stored.revealed == ""
    assert stored.digest not in key.revealed
    assert len(stored.digest) == 64


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_opens_by_either_header(client: APIClient, mira: User, header: str) -> None:
    text = keys.make(mira, "renders", ["read"]).revealed
    value = f"Bearer {text}" if header == "Authorization" else text
    answer = client.get("/v1/auth/me", headers={header: value})
    assert answer.json() == {"id": str(mira.pk), "username": "mira", "is_admin": False}


def test_a_revoked_key_is_refused(client: APIClient, mira: User) -> None:
    key = keys.make(mira, "renders", ["read"])
    assert keys.revoke(key)
    assert not keys.revoke(key)
    answer = client.get("/v1/auth/me", headers={"X-API-Key": key.revealed})
    assert answer.status_code == 401
    assert "revoked" in answer.json()["message"]


def test_an_expired_key_is_refused(mira: User, fixed_clock: Clock) -> None:
    key = keys.make(mira, "renders", ["read"], clock.now() + timedelta(days=1))
    assert keys.verify(key.revealed).owner == mira
    fixed_clock.forward(days=1)
    with pytest.raises(UnauthenticatedError, match="expired"):
        keys.verify(key.revealed)


def test_the_key_of_a_deactivated_owner_is_refused(client: APIClient, mira: User) -> None:
    text = keys.make(mira, "renders", ["read"]).revealed
    User.objects.update(is_active=False)
    assert client.get("/v1/auth/me", headers={"X-API-Key": text}).status_code == 401


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:4] + "00000000" + text[12:],
        lambda text: text + "x",
        lambda text: text[:-1],
        lambda text: "dfk_",
        lambda text: "dfk_\x01",
        lambda text: text * 2000,
        lambda text: "",
    ],
)
def test_a_spoilt_key_is_refused(
    client: APIClient, mira: User, spoil: Callable[[str], str]
) -> None:
    text = spoil(keys.make(mira, "renders", ["read"]).revealed)
    answer = client.get("/v1/auth/me", headers={"X-API-Key": text})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("scopes", "reading", "jobs", "plain", "unknown"),
    [
        (["read"], 200, 403, 403, 403),
        (["jobs"], 403, 200, 403, 403),
        (["admin"], 403, 403, 200, 200),
        (["read", "jobs", "models", "admin"], 200, 200, 200, 200),
    ],
)
def test_a_key_reaches_what_its_scopes_name(
    with_key: Callable[..., APIClient],
    scopes: list[str],
    reading: int,
    jobs: int,
    plain: int,
    unknown: int,
) -> None:
    client = with_key(*scopes)
    answers = (
        client.get("/v1/probe/jobs"),
        client.post("/v1/probe/jobs"),
        client.post("/v1/probe"),
        client.post("/v1/probe/unknown"),
    )
    assert [answer.status_code for answer in answers] == [reading, jobs, plain, unknown]


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "root"], [" "]])
def test_a_key_needs_scopes_that_exist(mira: User, scopes: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        keys.make(mira, "renders", scopes)


@pytest.mark.parametrize("name", ["nächtliche Läufe", "夜 の 仕事", "it's 50% done 🎨"])
def test_a_key_may_be_named_in_any_language(mira: User, name: str) -> None:
    keys.make(mira, f"  {name} ", ["read"])
    assert ApiKey.objects.get().name == name


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 101, "a\0b", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\u2028b", "a\ud800b"]
)
def test_a_key_takes_no_name_that_cannot_be_shown(mira: User, name: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        keys.make(mira, name, ["read"])
    assert list(raised.value.details["fields"]) == ["name"]


def test_a_key_costs_one_query_and_its_last_use_one_write_a_minute(
    client: APIClient, mira: User, fixed_clock: Clock, django_assert_num_queries: Any
) -> None:
    text = keys.make(mira, "renders", ["read"]).revealed
    with django_assert_num_queries(2):
        client.get("/v1/auth/me", headers={"X-API-Key": text})
    first_use = fixed_clock.moment
    fixed_clock.forward(seconds=59)
    with django_assert_num_queries(1):
        client.get("/v1/auth/me", headers={"X-API-Key": text})
    assert ApiKey.objects.get().last_used_at == first_use
    fixed_clock.forward(seconds=2)
    with django_assert_num_queries(2):
        client.get("/v1/auth/me", headers={"X-API-Key": text})
    assert ApiKey.objects.get().last_used_at == fixed_clock.moment


def test_of_parallel_uses_one_is_written(mira: User, fixed_clock: Clock) -> None:
    made = keys.make(mira, "renders", ["read"])
    one, other = ApiKey.objects.get(pk=made.pk), ApiKey.objects.get(pk=made.pk)
    keys._note_use(one)
    first_use = fixed_clock.moment
    fixed_clock.forward(seconds=1)
    keys._note_use(other)
    assert ApiKey.objects.get().last_used_at == first_use


@pytest.mark.django_db(transaction=True)
def test_of_racing_revocations_one_ends_the_key() -> None:
    key = keys.make(User.objects.create_user("racer"), "renders", ["read"])
    results = parallel.run(lambda: keys.revoke(key), times=6)
    assert sorted(map(str, results)) == ["False"] * 5 + ["True"]
