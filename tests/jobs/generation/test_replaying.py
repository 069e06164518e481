"""Several seeds in one request, and the images of a job once more."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import submission
from jobs.errors import InvalidParams
from jobs.models import Job
from registry import catalog
from registry.models import Model
from tests.callers import client_of
from tests.jobs.api.conftest import a_job
from tests.jobs.generation.conftest import asked, draw_next, drawn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]


def pictures(job: Job) -> list[tuple[int, int, str]]:
    rows = job.artifacts.order_by("item_index")
    return list(rows.values_list("item_index", "seed", "pixels_sha256"))


def made(owner: User, **params: Any) -> Job:
    submission.submit("generate", asked(**params), owner)
    return draw_next()


def replayed(api: APIClient, job: Job, **headers: str) -> Any:
    return api.post(f"/v1/jobs/{job.pk}/replay", headers=headers)


# Seeds


def test_each_image_gets_the_seed_that_was_named_for_it(model: Model) -> None:
    job = drawn(seeds=[9, 2, 2**53 - 1])
    assert [seed for _, seed, _ in pictures(job)] == [9, 2, 2**53 - 1]
    assert job.params["count"] == 3


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"seeds": []}, "seeds"),
        ({"seeds": [-1]}, "seeds.0"),
        ({"seeds": [2**53]}, "seeds.0"),
        ({"seeds": [1] * 101}, "seeds"),
        ({"seeds": [1, 2], "seed": 0}, "seeds"),
        ({"seeds": [1, 2], "count": 3}, "count"),
        ({"seeds": [1, 2], "seed_strategy": "increment"}, "seed"),
    ],
)
def test_seeds_that_contradict_the_request_are_refused(
    model: Model, params: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidParams) as refused:
        submission.submit("generate", asked(**params), None)
    assert list(refused.value.details["fields"]) == [field]


# Replay


@pytest.mark.parametrize(
    "params",
    [
        {"count": 3},
        {"count": 2, "seed": 5, "seed_strategy": "increment"},
        {"count": 2, "seed": 5},
        {"seed": 5, "format": "jpg", "preset": "cpu"},
    ],
)
def test_a_replay_draws_the_same_pictures(
    api: APIClient, mira: User, model: Model, params: dict[str, Any]
) -> None:
    job = made(mira, **params)
    answer = replayed(api, job)
    assert answer.status_code == 202, answer.json()
    again = draw_next()
    assert pictures(again) == pictures(job)
    assert (again.owner, again.requeued_from) == (mira, job)
    assert answer["Location"] == f"/v1/jobs/{again.pk}"


def test_a_replay_can_be_replayed(api: APIClient, mira: User, model: Model) -> None:
    job = made(mira, count=2)
    replayed(api, job)
    replayed(api, draw_next())
    assert pictures(draw_next()) == pictures(job)


def test_a_job_that_failed_replays_what_it_finished(
    api: APIClient, mira: User, model: Model
) -> None:
    job = made(mira, count=3)
    job.artifacts.get(item_index=1).delete()
    replayed(api, job)
    seeds = [seed for _, seed, _ in pictures(job)]
    assert [seed for _, seed, _ in pictures(draw_next())] == seeds


@pytest.mark.parametrize("kind", ["generate", "selftest"])
def test_a_job_without_images_cannot_be_replayed(
    api: APIClient, mira: User, model: Model, kind: str
) -> None:
    job = submission.submit(kind, asked(), mira) if kind == "generate" else a_job(mira)
    answer = replayed(api, job)
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert answer.json()["correlation_id"] == str(job.pk)


def test_a_model_that_is_gone_is_told_of_by_name(api: APIClient, mira: User, model: Model) -> None:
    job = made(mira)
    catalog.disable(model.pk, by=None)
    answer = replayed(api, job)
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == ["model_id"]


def test_the_same_key_sent_again_replays_once(api: APIClient, mira: User, model: Model) -> None:
    job = made(mira)
    first, second = (replayed(api, job, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 2


def test_somebody_elses_job_is_not_there_and_staff_own_their_replay(
    mira: User, model: Model, otto: User
) -> None:
    job = made(mira)
    assert replayed(client_of(otto), job).status_code == 404
    keeper = User.objects.create_user("keeper", is_staff=True)
    assert replayed(client_of(keeper), job).status_code == 202
    assert draw_next().owner == keeper


def test_a_key_that_may_only_look_replays_nothing(mira: User, model: Model) -> None:
    job = made(mira)
    assert replayed(client_of(mira, "read"), job).status_code == 403
    assert Job.objects.count() == 1
