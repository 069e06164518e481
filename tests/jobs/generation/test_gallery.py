"""A caller's images across jobs: found by what they were asked for, page by page, and removed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from jobs import leftovers, submission
from jobs.generation import gallery
from jobs.models import Artifact, Job
from registry.models import Model
from tests.callers import client_of
from tests.jobs.generation.conftest import a_model, asked, draw_next

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]


Draw = Callable[..., Job]


@pytest.fixture
def draw(mira: User, model: Model) -> Draw:
    def draw(**params: Any) -> Job:
        submission.submit("generate", asked(**params), mira)
        return draw_next()

    return draw


def page(api: APIClient, **query: Any) -> dict[str, Any]:
    answer = api.get("/v1/artifacts", query)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def every(api: APIClient, **query: Any) -> list[dict[str, Any]]:
    """All pages, one after the other."""
    here = page(api, **query)
    found = here["artifacts"]
    while here["next_cursor"]:
        here = page(api, **query, cursor=here["next_cursor"])
        found += here["artifacts"]
    return list(found)


def prompts(found: list[dict[str, Any]]) -> list[str]:
    return [image["prompt"] for image in found]


def drawn_by(owner: User, **params: Any) -> Job:
    submission.submit("generate", asked(**params), owner)
    return draw_next()


def test_images_come_newest_job_first_and_by_item_within_it(api: APIClient, draw: Draw) -> None:
    draw(prompt="first", count=2)
    draw(prompt="second")
    found = page(api)["artifacts"]
    assert [(image["prompt"], image["item_index"]) for image in found] == [
        ("second", 0),
        ("first", 0),
        ("first", 1),
    ]


def test_an_image_says_what_it_was_asked_for_and_how_to_make_it_again(
    api: APIClient, draw: Draw, model: Model
) -> None:
    job = draw(prompt="a mill", seed=11)
    (image,) = page(api)["artifacts"]
    assert (image["job_id"], image["model_id"]) == (str(job.pk), str(model.pk))
    assert APIClient().get(image["url"]).status_code == 200
    assert api.post("/v1/jobs", image["request"], format="json").status_code == 202
    draw_next()
    assert len(set(Artifact.objects.values_list("pixels_sha256", flat=True))) == 1


def test_pages_give_every_image_once(api: APIClient, draw: Draw) -> None:
    draw(count=3)
    draw(count=2)
    found = every(api, limit=2)
    assert len(found) == 5
    assert [image["id"] for image in found] == [image["id"] for image in page(api)["artifacts"]]


def test_all_words_stand_in_the_prompt_in_any_case(api: APIClient, draw: Draw) -> None:
    draw(prompt="A Red lighthouse, 日本語 100% _")
    draw(prompt="a red mill")
    assert prompts(every(api, q="LIGHTHOUSE red")) == ["A Red lighthouse, 日本語 100% _"]
    assert prompts(every(api, q="日本語 100%")) == ["A Red lighthouse, 日本語 100% _"]
    assert len(every(api, q="red")) == 2
    assert every(api, q="re_") == []


def test_a_seed_a_model_and_a_time_narrow_the_list(api: APIClient, draw: Draw) -> None:
    other = a_model("other")
    draw(prompt="one", seed=5)
    last = draw(prompt="two", seed=6, model_id=str(other.pk))
    assert prompts(every(api, seed=5)) == ["one"]
    assert prompts(every(api, model_id=other.pk)) == ["two"]
    assert prompts(every(api, created_before=last.created_at.isoformat())) == ["one"]
    assert every(api, created_after=last.created_at.isoformat()) == []


def test_a_page_reads_a_bounded_number_of_jobs_and_goes_on(
    api: APIClient, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(prompt="the needle")
    for _ in range(4):
        draw(prompt="hay")
    monkeypatch.setattr(gallery, "SCANNED", 2)
    first = page(api, q="needle")
    assert (first["artifacts"], first["next_cursor"] is None) == ([], False)
    assert prompts(every(api, q="needle")) == ["the needle"]
    assert len(every(api, limit=1)) == 5


def test_others_images_are_not_there_and_staff_see_all(api: APIClient, draw: Draw) -> None:
    draw(prompt="mine")
    keeper = User.objects.create_user("keeper", is_staff=True)
    drawn_by(keeper, prompt="the keeper's")
    assert prompts(every(api)) == ["mine"]
    staff = client_of(keeper)
    assert prompts(every(staff)) == ["the keeper's", "mine"]
    assert prompts(every(staff, mine="true")) == ["the keeper's"]


@pytest.mark.parametrize(
    "query",
    [{"seed": -1}, {"model_id": "x"}, {"ttl": 1}, {"created_after": "soon"}, {"colour": "red"}],
)
def test_what_cannot_be_looked_for_is_named(api: APIClient, query: dict[str, Any]) -> None:
    answer = api.get("/v1/artifacts", query)
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == list(query)


def test_a_cursor_of_another_list_is_refused(api: APIClient, draw: Draw) -> None:
    draw(count=2)
    api.get("/v1/jobs", {"limit": 1})
    answer = api.get("/v1/artifacts", {"cursor": "made-up"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


def test_a_page_costs_the_same_queries_however_many_images_there_are(
    api: APIClient, draw: Draw
) -> None:
    draw()
    page(api)  # the first call also notes when the key was used
    with CaptureQueriesContext(connection) as few:
        page(api)
    draw(count=5)
    draw(count=5)
    with CaptureQueriesContext(connection) as many:
        page(api)
    assert len(many) == len(few)


def test_a_removed_image_is_gone_with_its_file(api: APIClient, draw: Draw) -> None:
    job = draw(count=2)
    first, second = page(api)["artifacts"]
    key = first["s3_key"]
    assert api.delete(f"/v1/artifacts/{first['id']}").status_code == 204
    assert [image["id"] for image in page(api)["artifacts"]] == [second["id"]]
    assert APIClient().get(first["url"]).status_code == 404
    leftovers.clear()
    assert not default_storage.exists(key)
    assert default_storage.exists(second["s3_key"])
    assert job.artifacts.count() == 1
    assert api.delete(f"/v1/artifacts/{first['id']}").status_code == 404


def test_somebody_elses_image_is_removed_by_operators_alone(draw: Draw, otto: User) -> None:
    artifact = draw().artifacts.get()
    assert client_of(otto).delete(f"/v1/artifacts/{artifact.pk}").status_code == 404
    keeper = User.objects.create_user("keeper", is_staff=True)
    staff = client_of(keeper)
    assert staff.delete(f"/v1/artifacts/{artifact.pk}").status_code == 403
    keeper.groups.set(Group.objects.filter(name="operators"))
    assert staff.delete(f"/v1/artifacts/{artifact.pk}").status_code == 204


def test_an_image_of_a_job_that_is_not_over_stays(api: APIClient, draw: Draw) -> None:
    job = draw()
    Job.objects.filter(pk=job.pk).update(status="queued", finished_at=None)
    answer = api.delete(f"/v1/artifacts/{job.artifacts.get().pk}")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert job.artifacts.exists()


def test_a_key_for_reading_removes_nothing(mira: User, draw: Draw) -> None:
    artifact = draw().artifacts.get()
    assert client_of(mira, "read").delete(f"/v1/artifacts/{artifact.pk}").status_code == 403


def test_the_newest_image_of_a_model_is_its_preview(draw: Draw, model: Model) -> None:
    assert gallery.preview(model.pk) is None
    draw(model_id=str(model.pk))
    newest = draw(model_id=str(model.pk)).artifacts.get()
    assert str(newest.pk) in str(gallery.preview(model.pk))
    assert gallery.preview(uuid.uuid4()) is None
