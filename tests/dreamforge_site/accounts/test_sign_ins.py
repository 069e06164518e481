from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from dreamforge_site.accounts import sign_ins
from dreamforge_site.accounts.errors import UnauthenticatedError
from dreamforge_site.accounts.models import RefreshToken, SignIn, User

from . import parallel
from .conftest import PASSWORD, Clock


def test_login_answers_tokens_and_the_user(signed_in: dict[str, Any], mira: User) -> None:
    assert set(signed_in) == {"token", "refresh", "expires_in", "user"}
    assert signed_in["user"] == {"id": str(mira.pk), "username": "mira", "is_admin": False}
    assert signed_in["expires_in"] == 900


def test_tokens_are_not_to_be_stored_by_anybody_between(client: APIClient, mira: User) -> None:
    answer = client.post("/v1/auth/login", {"username": "mira", "password": PASSWORD})
    assert answer["Cache-Control"] == "no-store"
    assert not answer.cookies


def test_any_spelling_of_the_name_signs_in(client: APIClient, mira: User) -> None:
    answer = client.post(
        "/v1/auth/login", {"username": "\uff2d\uff29\uff32\uff21", "password": PASSWORD}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("username", "password"), [("mira", "wrong"), ("nobody", PASSWORD), ("mira", PASSWORD + " ")]
)
def test_wrong_name_and_wrong_password_get_the_same_answer(
    client: APIClient, mira: User, username: str, password: str
) -> None:
    answer = client.post("/v1/auth/login", {"username": username, "password": password})
    assert answer.status_code == 401
    assert answer.json()["message"] == "Wrong name or password."


def test_deactivated_user_gets_the_answer_of_a_wrong_password(
    client: APIClient, mira: User
) -> None:
    User.objects.update(is_active=False)
    answer = client.post("/v1/auth/login", {"username": "mira", "password": PASSWORD})
    assert (answer.status_code, answer.json()["message"]) == (401, "Wrong name or password.")


def test_stale_token_is_no_obstacle_to_signing_in(client: APIClient, mira: User) -> None:
    answer = client.post(
        "/v1/auth/login",
        {"username": "mira", "password": PASSWORD},
        headers={"Authorization": "Bearer stale"},
    )
    assert answer.status_code == 200


def test_refresh_answers_a_new_pair_that_works(
    client: APIClient, signed_in: dict[str, Any]
) -> None:
    renewed = client.post("/v1/auth/refresh", {"refresh": signed_in["refresh"]})
    assert renewed.status_code == 200
    assert renewed.json()["refresh"] != signed_in["refresh"]
    headers = {"Authorization": f"Bearer {renewed.json()['token']}"}
    assert client.get("/v1/auth/me", headers=headers).status_code == 200


@pytest.mark.parametrize("text", ["x", "é" * 256, "dfk_aaaaaaaa_" + "x" * 43])
def test_made_up_refresh_token_is_refused(client: APIClient, db: None, text: str) -> None:
    answer = client.post("/v1/auth/refresh", {"refresh": text})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_parallel_tabs_may_both_refresh(mira: User, fixed_clock: Clock) -> None:
    first = sign_ins.begin(mira)
    one = sign_ins.refresh(first.refresh)
    fixed_clock.forward(seconds=29)
    other = sign_ins.refresh(first.refresh)
    fixed_clock.forward(minutes=5)
    assert sign_ins.refresh(one.refresh).user == mira
    assert sign_ins.refresh(other.refresh).user == mira


def test_reuse_of_a_rotated_token_ends_the_family(mira: User, fixed_clock: Clock) -> None:
    stolen = sign_ins.begin(mira)
    renewed = sign_ins.refresh(stolen.refresh)
    fixed_clock.forward(seconds=31)
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(stolen.refresh)
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(renewed.refresh)
    with pytest.raises(UnauthenticatedError):
        sign_ins.caller(renewed.access)


def test_reuse_leaves_the_other_sign_ins_alone(mira: User, fixed_clock: Clock) -> None:
    stolen, phone = sign_ins.begin(mira), sign_ins.begin(mira)
    sign_ins.refresh(stolen.refresh)
    fixed_clock.forward(seconds=31)
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(stolen.refresh)
    assert sign_ins.refresh(phone.refresh).user == mira


def test_refresh_token_expires(mira: User, fixed_clock: Clock) -> None:
    pair = sign_ins.begin(mira)
    fixed_clock.forward(days=15)
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(pair.refresh)


def test_deactivated_user_cannot_refresh(mira: User) -> None:
    pair = sign_ins.begin(mira)
    User.objects.update(is_active=False)
    with pytest.raises(UnauthenticatedError):
        sign_ins.refresh(pair.refresh)


def test_logout_twice_or_with_nonsense_is_no_error(
    client: APIClient, signed_in: dict[str, Any]
) -> None:
    bodies = [signed_in["refresh"], signed_in["refresh"], "nonsense"]
    answers = [client.post("/v1/auth/logout", {"refresh": text}) for text in bodies]
    assert [answer.status_code for answer in answers] == [204, 204, 204]
    assert client.post("/v1/auth/refresh", {"refresh": bodies[0]}).status_code == 401


def test_purge_forgets_what_ended_long_ago_and_nothing_else(mira: User, fixed_clock: Clock) -> None:
    sign_ins.begin(mira)
    fixed_clock.forward(days=14, hours=23)
    live = sign_ins.begin(mira)
    fixed_clock.forward(hours=2)
    assert sign_ins.purge() == 1
    assert SignIn.objects.count() == RefreshToken.objects.count() == 1
    assert sign_ins.refresh(live.refresh).user == mira


@pytest.mark.django_db(transaction=True)
def test_racing_refreshes_rotate_the_token_once() -> None:
    user = User.objects.create_user("racer")
    pair = sign_ins.begin(user)
    results = parallel.run(lambda: sign_ins.refresh(pair.refresh), times=8)
    assert [type(result) for result in results] == [sign_ins.TokenPair] * 8
    assert RefreshToken.objects.filter(rotated_at=None).count() == 8
    assert RefreshToken.objects.exclude(rotated_at=None).count() == 1


def test_a_logout_between_reading_and_rotating_wins(mira: User) -> None:
    pair = sign_ins.begin(mira)
    read_before = sign_ins._find(pair.refresh)
    assert read_before is not None
    sign_ins.end(pair.refresh)
    assert sign_ins._rotate(read_before) is None
    assert RefreshToken.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_outlives_a_logout_that_races_with_refreshes() -> None:
    user = User.objects.create_user("racer")
    pair = sign_ins.begin(user)
    turns = iter([sign_ins.end, *[sign_ins.refresh] * 7])
    results = parallel.run(lambda: next(turns)(pair.refresh), times=8)
    pairs = [result for result in results if isinstance(result, sign_ins.TokenPair)]
    refused = [result for result in results if isinstance(result, UnauthenticatedError)]
    assert len(pairs) + len(refused) == 7
    assert not SignIn.objects.filter(revoked_at=None).exists()
    assert [outcome(late.refresh) for late in pairs] == ["refused"] * len(pairs)


def outcome(refresh: str) -> str:
    try:
        sign_ins.refresh(refresh)
    except UnauthenticatedError:
        return "refused"
    return "accepted"
