"""Models over HTTP: lists, one model, switching, and who may do what."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from registry import catalog
from registry.models import Model
from registry.parameters import schema_for
from tests.callers import client_of
from tests.dreamforge_site.api.test_failures import assert_envelope

from .conftest import HOSTILE, a_file, a_model

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]

NOBODY = uuid.UUID(int=7)
LISTED = ["id", "name", "kind", "version", "installed", "enabled", "parameters_schema"]


@pytest.fixture
def api(mira: User) -> APIClient:
    return client_of(mira)


@pytest.fixture
def operator_api(operator: User) -> APIClient:
    return client_of(operator)


@pytest.fixture
def viewer_api(viewer: User) -> APIClient:
    return client_of(viewer)


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [model["name"] for model in answer.json()["models"]]


def test_a_list_shows_what_the_contract_says(api: APIClient) -> None:
    model = a_model()
    answer = api.get("/v1/models").json()
    assert answer == {
        "models": [
            {
                "id": str(model.pk),
                "name": "epic",
                "kind": "sdxl-checkpoint",
                "version": "1",
                "installed": True,
                "enabled": True,
                "parameters_schema": schema_for("sdxl-checkpoint"),
            }
        ],
        "next_cursor": None,
    }
    assert list(answer["models"][0]) == LISTED


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["soft", "epic"]),
        ("enabled=true", ["soft", "epic"]),
        ("enabled=false", ["gone", "off"]),
        ("enabled=all", ["gone", "off", "soft", "epic"]),
        ("enabled=all&installed=true", ["off", "soft", "epic"]),
        ("enabled=all&installed=false", ["gone"]),
        ("installed=false", []),
        ("installed=true", ["soft", "epic"]),
        ("kind=lora", ["soft"]),
        ("kind=vae", []),
        ("q=EPIC", ["epic"]),
        ("q=acme%20so", ["soft"]),
        ("q=%25", []),
    ],
)
def test_filters_narrow_the_list(api: APIClient, query: str, found: list[str]) -> None:
    a_model("epic")
    a_model("soft", kind="lora")
    a_model("off", enable=False)
    catalog.mark_missing(a_model("gone").pk, "gone")
    assert names(api.get(f"/v1/models?{query}")) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=checkpoint", "kind"),
        ("installed=perhaps", "installed"),
        ("enabled=1", "enabled"),
        ("enabled=", "enabled"),
        ("q=", "q"),
        ("q=" + "x" * 201, "q"),
        ("q=%00", "q"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("name=epic", "name"),
        ("kind=vae&kind=lora", "kind"),
    ],
)
def test_a_wrong_filter_is_named(api: APIClient, query: str, field: str) -> None:
    answer = api.get(f"/v1/models?{query}")
    assert_envelope(answer, 422, "invalid_input")
    assert set(answer.json()["details"]["fields"]) == {field}


def test_a_cursor_of_somebody_elses_making_is_refused(api: APIClient) -> None:
    assert_envelope(api.get("/v1/models?cursor=x"), 400, "malformed_request")


def test_pages_lose_and_repeat_nothing_while_models_come_and_go(api: APIClient) -> None:
    made = [a_model(f"m{at}") for at in range(6)]
    same = datetime.now(UTC) - timedelta(days=1)
    Model.objects.update(created_at=same)  # told apart by their ids alone
    stable = {str(model.pk) for model in made} - {str(made[0].pk)}
    seen: list[str] = []
    path = "/v1/models?limit=2"
    for at in range(3):
        page = api.get(path)
        seen += [model["id"] for model in page.json()["models"]]
        path = page.get("Link", "<>").partition(">")[0].removeprefix("<")
        a_model(f"new{at}")
        made[0].delete() if at == 0 else None
    assert stable <= set(seen)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("query", ["", "?kind=lora", "?enabled=all&q=m", "?limit=2"])
def test_a_page_is_one_query_of_models(api: APIClient, query: str) -> None:
    for at in range(12):
        a_model(f"m{at}", kind="lora")
    with CaptureQueriesContext(connection) as made:
        api.get(f"/v1/models{query}")
    asked = [said["sql"] for said in made if "registry_model" in said["sql"]]
    assert len(asked) == 1
    assert "files_json" not in asked[0]


# One model


def test_one_model_is_shown_whole(api: APIClient, operator_api: APIClient) -> None:
    model = a_model(files=(a_file("a", "local"), a_file("b")))
    own, staffs = (client.get(f"/v1/models/{model.pk}").json() for client in (api, operator_api))
    assert staffs["local_path"] == str(model.folder)
    assert own == {**staffs, "local_path": None}
    assert set(own) >= {
        *LISTED,
        "capabilities",
        "checkpoint_hash",
        "source_uri",
        "local_path",
        "files_json",
        "schema_version",
        "created_at",
        "updated_at",
    }
    assert own["files_json"] == [file.to_json() for file in model.files]
    assert own["checkpoint_hash"].startswith("sha256:")
    assert (own["trust"], own["size_bytes"]) == ("local", 2)
    assert own["created_at"].endswith("Z")


def test_the_place_of_a_file_on_the_server_is_for_staff(
    api: APIClient, operator_api: APIClient
) -> None:
    model = a_model(source_uri="file:/srv/private/epic.safetensors")
    answers = [client.get(f"/v1/models/{model.pk}") for client in (api, operator_api)]
    assert [answer.json()["source_uri"] for answer in answers] == [
        None,
        "file:/srv/private/epic.safetensors",
    ]
    assert "/srv/private" not in answers[0].content.decode()


@pytest.mark.parametrize("rest", ["", "/enable", "/disable"])
def test_what_is_not_there_is_not_found(operator_api: APIClient, rest: str) -> None:
    ask = operator_api.post if rest else operator_api.get
    assert_envelope(ask(f"/v1/models/{NOBODY}{rest}"), 404, "not_found")
    assert_envelope(ask(f"/v1/models/7{rest}"), 404, "not_found")


def test_one_model_is_one_query(api: APIClient) -> None:
    model = a_model()
    with CaptureQueriesContext(connection) as made:
        api.get(f"/v1/models/{model.pk}")
    assert len([said for said in made if "registry_model" in said["sql"]]) == 1


# Switching


def test_an_operator_disables_and_enables(operator_api: APIClient, operator: User) -> None:
    model = a_model()
    answers = [
        operator_api.post(f"/v1/models/{model.pk}/{action}") for action in ("disable", "enable")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["enabled"] for answer in answers] == [False, True]
    assert LogEntry.objects.filter(user=operator, object_id=str(model.pk)).count() == 2


def test_a_refused_model_is_refused_with_every_reason(operator_api: APIClient) -> None:
    model = a_model(enable=None, installed=False, files=(a_file("a", "mismatch"),))
    answer = operator_api.post(f"/v1/models/{model.pk}/enable")
    assert_envelope(answer, 409, "conflict")
    assert answer.json()["details"] == {"reasons": ["it is not installed", "a is mismatch"]}


def test_a_body_is_refused(operator_api: APIClient) -> None:
    answer = operator_api.post(f"/v1/models/{a_model().pk}/disable", {"why": "x"})
    assert_envelope(answer, 422, "invalid_input")
    assert Model.objects.get().enabled


@pytest.mark.parametrize("action", ["enable", "disable"])
def test_switching_needs_the_permission(api: APIClient, viewer_api: APIClient, action: str) -> None:
    model = a_model(enable=action == "disable")
    answers = [client.post(f"/v1/models/{model.pk}/{action}") for client in (api, viewer_api)]
    for answer in answers:
        assert_envelope(answer, 403, "forbidden")
    assert len(answers) == 2
    assert Model.objects.get().enabled is model.enabled


def test_who_may_not_switch_learns_nothing_of_what_there_is(api: APIClient) -> None:
    paths = [f"/v1/models/{pk}/disable" for pk in (a_model().pk, NOBODY)]
    assert [api.post(path).status_code for path in paths] == [403, 403]


def test_a_key_needs_the_scope(operator: User) -> None:
    model = a_model()
    reader = client_of(operator, "read")
    assert reader.get("/v1/models").status_code == 200
    assert_envelope(reader.post(f"/v1/models/{model.pk}/disable"), 403, "forbidden")


@pytest.mark.parametrize("rest", ["", f"/{NOBODY}"])
def test_reading_needs_a_login(rest: str) -> None:
    assert_envelope(APIClient().get(f"/v1/models{rest}"), 401, "unauthenticated")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_models_are_not_made_or_removed_here(operator_api: APIClient, method: str) -> None:
    answer = getattr(operator_api, method)(f"/v1/models/{a_model().pk}")
    assert_envelope(answer, 405, "method_not_allowed")


def test_hostile_facts_are_only_text(operator: User) -> None:
    model = a_model(HOSTILE, provenance={"page": "javascript:alert(1)"}, version="{{7*7}}")
    client = client_of(operator)
    assert client.get(f"/v1/models/{model.pk}").json()["name"] == HOSTILE
    page = client.get("/v1/models", headers={"Accept": "text/html"}).content.decode()
    assert "<script>alert" not in page
    assert json.loads(client.get("/v1/models").content)["models"][0]["name"] == HOSTILE


def test_the_browsable_page_of_a_model_offers_its_buttons_to_nobody_in_vain(
    api: APIClient,
) -> None:
    page = api.get(f"/v1/models/{a_model().pk}", headers={"Accept": "text/html"})
    assert page.status_code == 200


def test_a_model_gets_defaults_of_its_own(operator_api: APIClient) -> None:
    address = f"/v1/models/{a_model().pk}/defaults"
    given = {"defaults": {"steps": 24, "guidance": 5.5}}
    answer = operator_api.patch(address, given, format="json")
    assert answer.status_code == 200, answer.json()
    properties = answer.json()["parameters_schema"]["properties"]
    assert (properties["steps"]["default"], properties["guidance"]["default"]) == (24, 5.5)
    assert properties["width"]["default"] == 1024
    told = "given defaults: guidance: 7.0 → 5.5; steps: 30 → 24."
    assert LogEntry.objects.get().change_message == told


def test_defaults_that_the_schema_does_not_take_are_named(operator_api: APIClient) -> None:
    address = f"/v1/models/{a_model().pk}/defaults"
    given = {"defaults": {"steps": 0, "prompt": "mine", "scheduler": "none"}}
    answer = operator_api.patch(address, given, format="json")
    assert answer.status_code == 422
    assert set(answer.json()["details"]["fields"]) == {"steps", "prompt", "scheduler"}


def test_giving_defaults_needs_the_permission(viewer_api: APIClient) -> None:
    address = f"/v1/models/{a_model().pk}/defaults"
    answer = viewer_api.patch(address, {"defaults": {"steps": 24}}, format="json")
    assert_envelope(answer, 403, "forbidden")
