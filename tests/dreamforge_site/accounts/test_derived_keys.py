"""A key that makes keys: none outlives it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from dreamforge_site.accounts import clock, keys
from dreamforge_site.accounts.models import ApiKey, User

from .conftest import Clock


def child_of(parent: ApiKey, **fields: Any) -> Any:
    caller = APIClient(headers={"X-API-Key": parent.revealed})
    return caller.post("/v1/auth/keys", {"name": "child", "scopes": ["admin"], **fields})


def test_a_key_that_ends_makes_none_that_outlives_it(mira: User, fixed_clock: Clock) -> None:
    end = fixed_clock.moment + timedelta(hours=1)
    parent = keys.make(mira, "parent", ["admin"], end)
    later = clock.written(end + timedelta(seconds=1))
    refused = child_of(parent, expires_at=later)
    assert refused.status_code == 422
    assert list(refused.json()["details"]["fields"]) == ["expires_at"]
    assert str(clock.written(end)) in refused.json()["message"]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("fields", [{}, {"expires_at": None}])
def test_a_key_made_without_an_end_takes_its_makers(
    mira: User, fixed_clock: Clock, fields: dict[str, None]
) -> None:
    end = fixed_clock.moment + timedelta(hours=1)
    made = child_of(keys.make(mira, "parent", ["admin"], end), **fields)
    assert made.status_code == 201
    assert ApiKey.objects.get(name="child").expires_at == end
    assert made.json()["expires_at"] == clock.written(end)


def test_a_key_may_end_before_its_maker_and_an_endless_one_binds_nobody(
    mira: User, fixed_clock: Clock
) -> None:
    end = fixed_clock.moment + timedelta(hours=1)
    sooner = clock.written(end - timedelta(minutes=1))
    ending, endless = keys.make(mira, "a", ["admin"], end), keys.make(mira, "b", ["admin"])
    answers = [child_of(ending, expires_at=sooner), child_of(endless)]
    assert [answer.json()["expires_at"] for answer in answers] == [sooner, None]
