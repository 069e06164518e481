"""How the API's answers travel: never stored, never sniffed, never over plain http."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings

from tests.dreamforge_site.api.test_failures import assert_envelope

pytestmark = pytest.mark.pure

HTTPS_ONLY = override_settings(SECURE_SSL_REDIRECT=True)


@pytest.mark.parametrize("path", ["/v1/version", "/v1/", "/v1", "/v1/docs", "/v1/nothing"])
def test_an_answer_of_the_api_is_kept_by_no_cache(site: Client, path: str) -> None:
    assert site.get(path)["Cache-Control"] == "no-store"


def test_an_error_outside_every_view_is_kept_by_no_cache(sample: Client, settings: Any) -> None:
    failing = "tests.dreamforge_site.api.sample_site.FailingMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, failing]
    response = sample.get("/v1/x")
    assert (response.status_code, response["Cache-Control"]) == (500, "no-store")


@pytest.mark.parametrize("path", ["/v1/schema", "/v1/redoc"])
def test_a_page_that_is_the_same_for_all_sets_its_own_rule(site: Client, path: str) -> None:
    assert site.get(path)["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/v1/version", "/v1", "/v1/nothing"])
@pytest.mark.parametrize("method", ["get", "post", "options"])
@HTTPS_ONLY
def test_the_api_refuses_plain_http_and_redirects_nowhere(
    site: Client, path: str, method: str
) -> None:
    response = getattr(site, method)(path, HTTP_AUTHORIZATION="Bearer leaked")
    envelope = assert_envelope(response, 403, "forbidden")
    assert "https" in envelope["message"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "no-store"
    assert response["X-Request-Id"] == envelope["correlation_id"]
    assert "Location" not in response


@HTTPS_ONLY
def test_the_mirror_refuses_plain_http_in_the_words_of_its_clients(site: Client) -> None:
    response = site.get("/hf/x", HTTP_AUTHORIZATION="Bearer leaked")
    assert response.status_code == 403
    assert "https" in response.json()["error"]


@HTTPS_ONLY
def test_the_api_answers_over_https(site: Client) -> None:
    assert site.get("/v1/version", secure=True).status_code == 200


@pytest.mark.parametrize("path", ["/", "/admin/", "/v10", "//v1/version"])
@HTTPS_ONLY
def test_a_page_is_sent_on_to_https(site: Client, path: str) -> None:
    response = site.generic("GET", "/", PATH_INFO=path)
    assert response.status_code == 301
    assert response["Location"].startswith("https://testserver/")
