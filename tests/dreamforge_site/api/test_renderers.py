"""JSON for programs, pages for people, never 406."""

from __future__ import annotations

import datetime
import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from dreamforge_site.api.renderers import ContractJSONRenderer

pytestmark = pytest.mark.django_db

URL = "/v1/pictures"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/json; indent=4",
        "application/json;q=0.1",
        "application/*",
        "image/png",
        "application/vnd.api+json",
        "nonsense",
        "a/b/c",
        ";;;",
        "",
        "text/html" * 2000,
        ",".join(["image/png"] * 500),
        "text/\u00e9",
    ],
)
def test_whatever_is_asked_for_the_answer_is_json(sample: Client, accept: str) -> None:
    response = sample.get(URL, HTTP_ACCEPT=accept)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"query": {}}


def page(client: Client, url: str) -> str:
    response = client.get(url, HTTP_ACCEPT=BROWSER)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"
    return response.content.decode()


def test_a_browser_gets_the_browsable_api_with_both_forms(sample: Client) -> None:
    html = page(sample, URL)
    assert 'name="prompt"' in html
    assert 'name="_content"' in html
    assert "multipart/form-data" not in html
    assert "Dream Forge" in html


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 422)])
def test_a_page_with_a_query_shows_no_form_that_would_be_refused_with_it(
    sample: Client, method: str, status: int
) -> None:
    response = sample.generic(method, f"{URL}?status=queued", HTTP_ACCEPT=BROWSER)
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")
    assert 'name="prompt"' not in response.content.decode()


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 201), ("PUT", 405)])
def test_a_list_has_a_page_whatever_was_asked_of_it(
    sample: Client, method: str, status: int
) -> None:
    response = sample.generic(method, "/v1/other-callers", HTTP_ACCEPT=BROWSER)
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")


def test_the_html_form_posts_and_shows_its_errors_at_the_field(sample: Client) -> None:
    form = {"prompt": "", "steps": "900"}
    response = sample.post(
        URL,
        "&".join(f"{name}={value}" for name, value in form.items()),
        content_type="application/x-www-form-urlencoded",
        HTTP_ACCEPT=BROWSER,
    )
    html = response.content.decode()
    assert response.status_code == 422
    assert "invalid_input" in html
    assert '<span class="help-block">This field may not be blank.</span>' in html


def test_the_pages_load_nothing_from_elsewhere(sample: Client) -> None:
    html = page(sample, URL)
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', html)
    assert len(loaded) > 5
    assert [address for address in loaded if not address.startswith("/static/")] == []


def test_what_the_pages_load_exists(sample: Client) -> None:
    loaded = re.findall(r'<(?:script|link)[^>]+(?:src|href)="/static/([^"]+)"', page(sample, URL))
    assert len(loaded) > 5
    assert [path for path in loaded if finders.find(path) is None] == []


def test_who_is_not_signed_in_finds_the_way_to(site: Client) -> None:
    response = site.get("/v1/version", HTTP_ACCEPT=BROWSER)
    assert '<a href="/admin/login/?next=/v1/version">Log in</a>' in response.content.decode()


def test_markup_in_a_value_stays_text(sample: Client) -> None:
    response = sample.get(f"{URL}?<script>alert(1)</script>=1", HTTP_ACCEPT=BROWSER)
    assert response.status_code == 422
    assert "<script>alert(1)" not in response.content.decode()


def test_times_outside_a_serializer_have_the_contracts_form() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=-3))
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
    assert ContractJSONRenderer().render({"at": moment}) == b'{"at":"2026-01-02T06:04:05.000000Z"}'
