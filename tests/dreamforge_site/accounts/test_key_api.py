from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import ApiKey, User


@pytest.fixture
def caller(signed_in: dict[str, Any]) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {signed_in['token']}"})


def test_a_made_key_is_shown_once_and_works(caller: APIClient, client: APIClient) -> None:
    made = caller.post("/v1/auth/keys", {"name": "renders", "scopes": ["jobs", "read"]})
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    assert made.json()["scopes"] == ["read", "jobs"]
    text = made.json()["key"]
    assert client.get("/v1/auth/me", headers={"X-API-Key": text}).status_code == 200
    listed = caller.get("/v1/auth/keys")
    assert [row["id"] for row in listed.json()["keys"]] == [made.json()["id"]]
    assert text.split("_", 2)[2] not in listed.content.decode()


def test_the_list_is_ones_own_and_goes_page_by_page(caller: APIClient, mira: User) -> None:
    made = [keys.make(mira, f"key {number}", ["read"]) for number in range(3)]
    keys.make(User.objects.create_user("other"), "not yours", ["read"])
    first = caller.get("/v1/auth/keys?limit=2").json()
    second = caller.get("/v1/auth/keys", {"limit": 2, "cursor": first["next_cursor"]}).json()
    names = [row["name"] for row in first["keys"] + second["keys"]]
    assert names == [key.name for key in reversed(made)]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["read"]}, "name"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "x" * 101, "scopes": ["read"]}, "name"),
        ({"name": "a\nb", "scopes": ["read"]}, "name"),
        ({"name": "a\u202eb", "scopes": ["read"]}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": "read"}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "soon"}, "expires_at"),
        ({"name": "x", "scopes": ["read"], "owner": "root"}, "owner"),
    ],
)
def test_a_wrong_body_makes_no_key(caller: APIClient, body: dict[str, Any], field: str) -> None:
    answer = caller.post("/v1/auth/keys", body)
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == [field]
    assert not ApiKey.objects.exists()


def test_a_key_cannot_hand_on_a_scope_it_lacks(with_key: Callable[..., APIClient]) -> None:
    answer = with_key("admin").post("/v1/auth/keys", {"name": "more", "scopes": ["jobs"]})
    assert answer.status_code == 403
    assert ApiKey.objects.count() == 1


def test_a_key_without_the_admin_scope_makes_no_keys(with_key: Callable[..., APIClient]) -> None:
    answer = with_key("read", "jobs").post("/v1/auth/keys", {"name": "more", "scopes": ["read"]})
    assert answer.status_code == 403


def test_revoking_ends_a_key_and_twice_is_no_error(
    caller: APIClient, client: APIClient, mira: User
) -> None:
    key = keys.make(mira, "renders", ["read"])
    answers = [caller.delete(f"/v1/auth/keys/{key.pk}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert client.get("/v1/auth/me", headers={"X-API-Key": key.revealed}).status_code == 401


def test_somebody_elses_key_is_not_found_not_even_by_staff(caller: APIClient, mira: User) -> None:
    User.objects.filter(pk=mira.pk).update(is_staff=True)
    theirs = keys.make(User.objects.create_user("other"), "theirs", ["read"])
    answers = [caller.delete(f"/v1/auth/keys/{pk}") for pk in (theirs.pk, uuid.uuid4(), "x")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/v1/auth/me"),
        ("get", "/v1/auth/keys"),
        ("post", "/v1/auth/keys"),
        ("delete", f"/v1/auth/keys/{uuid.UUID(int=1)}"),
    ],
)
def test_anonymous_callers_are_sent_to_sign_in(
    client: APIClient, db: None, method: str, path: str
) -> None:
    answer = client.generic(method.upper(), path)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
