"""The same request sent again: one job, one answer. Races run against the real server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs.models import IdempotencyKey, Job
from tests.callers import client_of
from tests.dreamforge_site.api.test_failures import assert_envelope

BODY = {"type": "selftest", "items": 2}


def post(api: APIClient, key: str, body: Any = None) -> Any:
    return api.post("/v1/jobs", body or BODY, headers={"Idempotency-Key": key})


def test_the_same_request_again_gets_the_first_answer(api: APIClient) -> None:
    first, second = post(api, "one"), post(api, "one")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 1


def test_the_first_answer_is_given_whatever_became_of_the_job(api: APIClient) -> None:
    first = post(api, "one")
    api.post(f"{first['Location']}/cancel")
    assert post(api, "one").json()["job"]["status"] == "queued"
    Job.objects.all().delete()
    assert post(api, "one").json() == first.json()


def test_the_order_of_fields_makes_no_other_request(api: APIClient) -> None:
    post(api, "one", {"type": "selftest", "items": 2})
    again = post(api, "one", {"items": 2, "type": "selftest"})
    assert again["Idempotent-Replayed"] == "true"


def test_a_replay_can_be_waited_for(api: APIClient) -> None:
    post(api, "one")
    again = api.post("/v1/jobs?wait=5", BODY, headers={"Idempotency-Key": "one"})
    assert again["Idempotent-Replayed"] == "true"
    assert again["X-Forge-Handoff"].startswith("wait ")


def test_another_body_under_the_key_is_a_conflict(api: APIClient) -> None:
    post(api, "one")
    assert_envelope(post(api, "one", {"type": "selftest"}), 409, "idempotency_conflict")
    assert Job.objects.count() == 1


def test_another_user_has_keys_of_their_own(api: APIClient, otto: User) -> None:
    first, other = post(api, "one"), post(client_of(otto), "one")
    assert first.json()["job"]["id"] != other.json()["job"]["id"]


def test_a_refused_request_leaves_the_key_free(api: APIClient, settings: Settings) -> None:
    assert_envelope(post(api, "one", {"type": "selftest", "items": 0}), 422, "invalid_input")
    assert_envelope(post(api, "one", {"type": "render"}), 422, "invalid_input")
    assert not IdempotencyKey.objects.exists()
    settings.JOB_MAX_QUEUED_PER_USER = 1
    post(api, "first")
    assert_envelope(post(api, "one"), 429, "rate_limited")
    settings.JOB_MAX_QUEUED_PER_USER = 0
    assert "Idempotent-Replayed" not in post(api, "one")


def test_an_expired_key_makes_a_new_job(api: APIClient) -> None:
    first = post(api, "one")
    IdempotencyKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    again = post(api, "one")
    assert again.json()["job"]["id"] != first.json()["job"]["id"]
    assert "Idempotent-Replayed" not in again
    assert IdempotencyKey.objects.count() == 1


def test_neither_key_nor_body_is_kept(api: APIClient, letters: None) -> None:
    post(api, "a-very-telling-key", {"type": "letter", "text": "a very telling text"})
    kept = str(IdempotencyKey.objects.values().get())
    assert "telling" not in kept


@pytest.mark.parametrize(
    "key", ["", " ", "x" * 256, "a\0b", "a\tb", "schlüssel", "キー".encode().decode("latin-1")]
)
def test_what_cannot_be_a_key_is_refused(api: APIClient, key: str) -> None:
    answer = post(api, key)
    assert_envelope(answer, 422, "invalid_input")
    assert list(answer.json()["details"]["fields"]) == ["Idempotency-Key"]
    assert not Job.objects.exists()


@pytest.mark.parametrize("key", ["x", "x" * 255, "with a space ~!{}"])
def test_255_printable_characters_are_a_key(api: APIClient, key: str) -> None:
    assert post(api, key).status_code == 202
