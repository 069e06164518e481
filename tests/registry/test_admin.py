"""Models in the admin, as people with different rights see them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dreamforge_site.accounts.models import User
from registry import catalog, selection
from registry.admin import longlists, showing
from registry.models import Model

from .conftest import HOSTILE, a_file, a_model

pytestmark = pytest.mark.django_db

MODELS = "/admin/registry/model/"
BUTTON = re.compile(r"<button[^>]*>")
LINK = re.compile(r'<a[^>]* href="([^"]+)"')


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def desk(operator: User) -> Client:
    return browser_of(operator)


@pytest.fixture
def window(viewer: User) -> Client:
    return browser_of(viewer)


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def page_of(model: Model) -> str:
    return f"{MODELS}{model.pk}/change/"


def act(browser: Client, action: str, *models: Model, **more: str) -> Any:
    ids = [str(model.pk) for model in models]
    form = {"action": action, "_selected_action": ids, "index": "0", **more}
    return browser.post(MODELS, form)


def found(answer: Any) -> set[str]:
    return {model.name for model in answer.context["cl"].result_list}


def said(browser: Client) -> list[str]:
    """The messages that wait for the next page."""
    return [str(message) for message in browser.get(MODELS).context["messages"]]


def test_the_list_shows_what_an_operator_looks_for(desk: Client) -> None:
    model = a_model(files=(a_file("a" * 1024),))
    catalog.set_default(model.pk)
    page = text(desk.get(MODELS))
    for part in (
        "epic",
        "sdxl-checkpoint",
        "enabled",
        "verified",
        "1.0 KiB",
        "epic (default)",
        "never",
    ):
        assert part in page, part
    assert page.count(f'value="disable:{model.pk}"') == 1


@pytest.fixture
def shelf() -> None:
    a_model("epic")
    a_model("soft", kind="lora", source_uri="civitai:7@8", files=(a_file(trust="local"),))
    a_model("off", enable=False, source_uri="plugin:x")
    catalog.mark_missing(a_model("gone", source_uri="file:/x").pk, "gone")


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"epic", "soft", "off", "gone"}),
        ("kind__exact=lora", {"soft"}),
        ("installed__exact=0", {"gone"}),
        ("enabled__exact=1", {"epic", "soft"}),
        ("trust=local", {"soft"}),
        ("source=hf", {"epic"}),
        ("source=civitai", {"soft"}),
        ("source=file", {"gone"}),
        ("source=other", {"off"}),
        ("q=SOFT", {"soft"}),
        ("q=acme+epic", {"epic"}),
        ("q=%00", {"epic", "soft", "off", "gone"}),
        ("q='+OR+1=1--", set()),
    ],
)
def test_the_list_is_filtered_and_searched(desk: Client, query: str, names: set[str]) -> None:
    assert found(desk.get(f"{MODELS}?{query}")) == names


def test_a_search_finds_an_id(desk: Client) -> None:
    model, _other = a_model("epic"), a_model("other")
    assert found(desk.get(MODELS, {"q": f" {model.pk} "})) == {"epic"}


def test_a_list_costs_the_same_however_many_models_there_are(desk: Client) -> None:
    for at in range(12):
        a_model(f"m{at}")
    with CaptureQueriesContext(connection) as made:
        assert len(found(desk.get(MODELS))) == 12
    assert len(made) <= 8
    rows = [query["sql"] for query in made if "files_json" in query["sql"]]
    assert rows == []


def test_a_list_is_counted_no_further_than_anybody_pages(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(5):
        a_model(f"m{at}")
    monkeypatch.setattr(longlists, "COUNTED", 3)
    shown = desk.get(MODELS).context["cl"]
    assert (shown.result_count, shown.is_counted) == (3, False)


# One model


def test_a_page_shows_files_parameters_and_where_it_is_from(desk: Client) -> None:
    facts = {"licence": "openrail++", "page": "https://hub.example/acme/epic", "tags": ["a", "b"]}
    model = a_model(files=(a_file("a", "local"), a_file("b")), provenance=facts)
    page = text(desk.get(page_of(model)))
    for part in (
        "1 local, 1 verified",
        a_file("b").sha256,
        "openrail++",
        "[&quot;a&quot;, &quot;b&quot;]",
        "64 to 4096, multiples of 8",
        "1 to 4096 characters",
        "at most 4096 characters",
        "dpmpp_2m_karras",
        str(model.folder),
        str(model.checkpoint_hash),
    ):
        assert part in page, part
    assert "https://hub.example/acme/epic" in LINK.findall(page)


@pytest.mark.parametrize("page", ["javascript:alert(1)", "data:text/html,x", 7, "//evil.example"])
def test_only_an_address_of_the_web_becomes_a_link(desk: Client, page: Any) -> None:
    answer = text(desk.get(page_of(a_model(provenance={"page": page}))))
    assert "Page at the source" not in answer
    assert [link for link in LINK.findall(answer) if str(page) in link and page != 7] == []


def test_of_many_files_the_first_are_shown(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "FILES_SHOWN", 2)
    page = text(desk.get(page_of(a_model(files=tuple(a_file(f"f{at}") for at in range(5))))))
    assert "The first of 5; 3 more" in page
    assert ("f1</td>" in page, "f2</td>" in page) == (True, False)


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"properties": {"x": 7}, "x-order": 3}])
def test_a_strange_schema_is_shown_too(desk: Client, schema: dict[str, Any]) -> None:
    assert text(desk.get(page_of(a_model(parameters_schema=schema))))


def test_hostile_facts_are_only_text(desk: Client) -> None:
    model = a_model(
        HOSTILE,
        files=(a_file("<script>alert(1)</script>{{7*7}}"),),
        provenance={HOSTILE: HOSTILE},
        parameters_schema={"properties": {HOSTILE: {"description": f'"{HOSTILE}'}}},
    )
    pages = text(desk.get(MODELS)) + text(desk.get(page_of(model)))
    act(desk, "disable", model)
    pages += text(desk.get(f"{MODELS}{model.pk}/history/"))
    assert "<script>alert" not in pages
    assert "&lt;script&gt;alert" in pages
    assert "{{7*7}}" in pages


# Buttons


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        ({}, ["disable", "make_default"]),
        ({"enable": False}, ["enable"]),
        ({"kind": "lora"}, ["disable"]),
        ({"installed": False}, []),
        ({"files": (a_file(trust="mismatch"),)}, []),
    ],
)
def test_a_page_offers_what_would_do_something(
    desk: Client, facts: dict[str, Any], offered: list[str]
) -> None:
    answer = desk.get(page_of(a_model(**facts)))
    assert [action for action, _ in answer.context["buttons"]] == offered


def test_a_row_has_a_switch(desk: Client, operator: User) -> None:
    model = a_model()
    for action, enabled in (("disable", False), ("enable", True)):
        page = text(desk.get(MODELS))
        assert f'value="{action}:{model.pk}"' in page
        answer = desk.post(f"{MODELS}?kind__exact=lora", {"_switch": f"{action}:{model.pk}"})
        assert (answer.status_code, answer["Location"]) == (302, f"{MODELS}?kind__exact=lora")
        assert Model.objects.get().enabled is enabled
    assert LogEntry.objects.filter(user=operator).count() == 2


@pytest.mark.parametrize("sent", ["", "forget:7", "enable:7", "enable", "set_default:x", "\0"])
def test_a_switch_of_somebodys_own_making_does_nothing(desk: Client, sent: str) -> None:
    a_model(enable=False)
    assert desk.post(MODELS, {"_switch": sent}).status_code == 302
    assert said(desk) == ["There is no such switch."]
    assert not Model.objects.get().enabled


def test_a_switch_that_cannot_be_says_why(desk: Client) -> None:
    model = a_model(enable=None, files=(a_file("a", "mismatch"),))
    desk.post(MODELS, {"_switch": f"enable:{model.pk}"})
    assert said(desk) == ["epic 1 cannot be enabled: a is mismatch."]


def test_an_action_does_each_by_itself_and_tells_of_the_rest(desk: Client) -> None:
    models = [a_model("a", enable=False), a_model("b", enable=None, files=())]
    models += [a_model("c", enable=False)]
    act(desk, "enable", *models)
    assert said(desk) == ["2 enabled.", "b 1 cannot be enabled: it has no files."]
    assert set(Model.objects.filter(enabled=True).values_list("name", flat=True)) == {"a", "c"}


def test_a_button_of_a_page_comes_back_to_it(desk: Client) -> None:
    model = a_model()
    answer = act(desk, "disable", model, _stay="1")
    assert (answer.status_code, answer["Location"]) == (302, page_of(model))
    assert not Model.objects.get().enabled


def test_one_model_is_made_the_default(desk: Client) -> None:
    one, two = a_model("one"), a_model("two")
    act(desk, "make_default", one, two)
    assert said(desk) == ["Choose one model to be the default."]
    act(desk, "make_default", two)
    assert selection.default() == two


# Rights


def test_a_viewer_sees_no_button_that_would_be_refused(window: Client) -> None:
    model = a_model()
    pages = text(window.get(MODELS)), text(window.get(page_of(model)))
    names = [name for page in pages for name in re.findall(r'name="(_switch|action)"', page)]
    assert names == []
    assert window.get(page_of(model)).context["buttons"] == []
    assert model.name in pages[0]


@pytest.mark.parametrize("form", ["switch", "action"])
def test_a_viewer_who_sends_one_anyway_changes_nothing(window: Client, form: str) -> None:
    model = a_model()
    if form == "switch":
        assert window.post(MODELS, {"_switch": f"disable:{model.pk}"}).status_code == 403
    else:
        act(window, "disable", model)
    assert Model.objects.get().enabled
    assert LogEntry.objects.count() == 0


def test_without_a_right_there_is_no_page_and_no_entry(db: None) -> None:
    browser = browser_of(User.objects.create_user("clerk", is_staff=True))
    assert browser.get(MODELS).status_code == 403
    assert MODELS not in text(browser.get("/admin/"))


def test_the_right_to_look_shows_the_entry(window: Client) -> None:
    assert MODELS in text(window.get("/admin/"))


@pytest.mark.parametrize("rest", ["add/", "{pk}/delete/"])
def test_nobody_adds_or_deletes_here(db: None, rest: str) -> None:
    root = browser_of(User.objects.create_superuser("root"))
    assert root.get(MODELS + rest.format(pk=a_model().pk)).status_code == 403


def test_a_model_is_not_edited(db: None) -> None:
    root = browser_of(User.objects.create_superuser("root"))
    model = a_model()
    assert root.post(page_of(model), {"name": "other", "trust": "verified"}).status_code == 403
    assert Model.objects.get().name == "epic"


def test_the_actions_need_the_token_of_a_form(operator: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(operator)
    model = a_model()
    answers = [act(browser, "disable", model), browser.post(MODELS, {"_switch": "x"})]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert Model.objects.get().enabled


def test_the_right_to_change_is_one_permission(viewer: User) -> None:
    viewer.user_permissions.add(
        Permission.objects.get(content_type__app_label="registry", codename="change_model")
    )
    model = a_model()
    browser_of(viewer).post(MODELS, {"_switch": f"disable:{model.pk}"})
    assert not Model.objects.get().enabled
