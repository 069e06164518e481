"""The table of forged and worn-out access tokens (RFC 8725): 401 each, never a 5xx."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings
from rest_framework.test import APIClient

from dreamforge_site.accounts import clock, sign_ins, tokens
from dreamforge_site.accounts.models import SignIn, User

from .conftest import PASSWORD, Clock

Claims = dict[str, Any]


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(claims: Claims, key: bytes | None = None, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key or tokens._key(), algorithm=algorithm)


def without(name: str) -> Callable[[Claims], str]:
    return lambda claims: signed({key: claims[key] for key in claims if key != name})


def changed(**values: Any) -> Callable[[Claims], str]:
    return lambda claims: signed({**claims, **values})


def in_s(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


FORGED: dict[str, Callable[[Claims], str]] = {
    "alg none": lambda claims: f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.",
    "alg none, kept signature": lambda claims: ".".join(
        [part({"alg": "none"}), *signed(claims).split(".")[1:]]
    ),
    "alg NoNe": lambda claims: f"{part({'alg': 'NoNe'})}.{part(claims)}.",
    "alg RS256 in the header": lambda claims: ".".join(
        [part({"alg": "RS256"}), *signed(claims).split(".")[1:]]
    ),
    "HS384 with our key": lambda claims: signed(claims, tokens._key() * 2, algorithm="HS384"),
    "wrong key": lambda claims: signed(claims, key=b"0" * 32),
    "the secret key itself": lambda claims: signed(claims, key=django_settings.SECRET_KEY.encode()),
    "expired": changed(exp=in_s(-60)),
    "not yet": changed(nbf=in_s(3600)),  # from when the tests were collected
    "issued in the future": changed(iat=in_s(3600)),
    "no exp": without("exp"),
    "no sub": without("sub"),
    "no sign-in": without("sid"),
    "no type": without("typ"),
    "no id": without("jti"),
    "other audience": changed(aud="elsewhere"),
    "no audience": without("aud"),
    "other issuer": changed(iss="elsewhere"),
    "refresh type": changed(typ="refresh"),
    "sub is no uuid": changed(sub="1 OR 1=1"),
    "sub is another user": changed(sub=str(uuid.uuid4())),
    "sid is unknown": changed(sid=str(uuid.uuid4())),
    "sid is a list": changed(sid=["x"]),
    "sid is null": changed(sid=None),
    "exp is text": changed(exp="tomorrow"),
    "exp is a list": changed(exp=[1]),
    "exp is no number": changed(exp=float("nan")),
    "100 KB": changed(more="x" * 100_000),
    "changed payload": lambda claims: ".".join(
        [signed(claims).split(".")[0], part({**claims, "typ": "access "}), "c2ln"]
    ),
    "two dots": lambda claims: "..",
    "one part": lambda claims: "token",
    "four parts": lambda claims: signed(claims) + ".x",
    "no base64": lambda claims: "é.é.é",
    "claims are a list": lambda claims: jwt.PyJWS().encode(b"[]", tokens._key()),
    "header is a number": lambda claims: f"{part(1)}.{part(claims)}.c2ln",
    "nested header": lambda claims: f"{base64.urlsafe_b64encode(b'[' * 2000).decode()}.e30.c2ln",
}


@pytest.fixture
def claims(mira: User) -> Claims:
    pair = sign_ins.begin(mira)
    found: Claims = jwt.decode(pair.access, options={"verify_signature": False})
    return {
        **found,
        **{name: datetime.fromtimestamp(found[name], UTC) for name in ("exp", "iat", "nbf")},
    }


def plain(claims: Claims) -> Claims:
    return {
        name: int(value.timestamp()) if isinstance(value, datetime) else value
        for name, value in claims.items()
    }


def me(client: APIClient, token: str) -> Any:
    header = f"Bearer {token}".encode().decode("latin-1")
    return client.get("/v1/auth/me", headers={"Authorization": header})


def test_the_untouched_claims_are_accepted(client: APIClient, claims: Claims) -> None:
    assert me(client, signed(plain(claims))).status_code == 200


@pytest.mark.parametrize("name", FORGED)
def test_forged_token_is_refused(client: APIClient, claims: Claims, name: str) -> None:
    answer = me(client, FORGED[name](plain(claims)))
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_token_expires_with_its_life(client: APIClient, mira: User, fixed_clock: Clock) -> None:
    fixed_clock.forward(hours=-1)
    pair = sign_ins.begin(mira)
    assert clock.now() == fixed_clock.moment
    assert me(client, pair.access).status_code == 401


def test_refresh_token_is_no_access_token(client: APIClient, signed_in: dict[str, Any]) -> None:
    assert me(client, signed_in["refresh"]).status_code == 401


def test_token_of_a_deleted_user_is_refused(
    client: APIClient, mira: User, signed_in: dict[str, Any]
) -> None:
    mira.delete()
    assert me(client, signed_in["token"]).status_code == 401


def test_token_of_a_deactivated_user_is_refused(
    client: APIClient, mira: User, signed_in: dict[str, Any]
) -> None:
    User.objects.filter(pk=mira.pk).update(is_active=False)
    assert me(client, signed_in["token"]).status_code == 401


def test_token_dies_with_the_password(
    client: APIClient, mira: User, signed_in: dict[str, Any]
) -> None:
    mira.set_password(PASSWORD)
    mira.save()
    assert me(client, signed_in["token"]).status_code == 401
    assert client.post("/v1/auth/refresh", {"refresh": signed_in["refresh"]}).status_code == 401


def test_token_dies_with_the_logout(client: APIClient, signed_in: dict[str, Any]) -> None:
    answer = client.post("/v1/auth/logout", {"refresh": signed_in["refresh"]})
    assert answer.status_code == 204
    assert me(client, signed_in["token"]).status_code == 401


def test_token_of_one_sign_in_does_not_fit_another_user(client: APIClient, mira: User) -> None:
    other = User.objects.create_user("other")
    sign_ins.begin(mira)
    claims = tokens.AccessClaims(other.pk, SignIn.objects.get().pk)
    assert me(client, tokens.issue_access(claims)).status_code == 401


def test_access_token_costs_one_query(
    client: APIClient, signed_in: dict[str, Any], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert me(client, signed_in["token"]).status_code == 200
