"""The real site's own addresses: version, map, root, slashes, cross-origin calls."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from django.test import Client

from dreamforge_site import __version__
from tests.dreamforge_site.api.test_failures import assert_envelope

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
LOCAL = "http://localhost:5173"


def test_the_version_is_the_packages(site: Client) -> None:
    packaged = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
    answer = site.get("/v1/version").json()
    assert answer == {"name": "dreamforge", "version": __version__, "api": "v1"}
    assert __version__ == packaged


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_the_map_lists_every_operation(site: Client, path: str) -> None:
    answer = site.get(path, follow=True).json()
    listed = {(operation["method"], operation["path"]) for operation in answer["operations"]}
    assert answer["links"]["docs"] == "/v1/docs"
    assert {("GET", "/v1/version"), ("POST", "/v1/auth/login")} <= listed


def test_the_root_leads_to_the_admin(site: Client) -> None:
    response = site.get("/")
    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("path", ["/v1/version/", "/v1/auth/", "/v2"])
def test_no_address_of_the_api_ends_in_a_slash(site: Client, path: str) -> None:
    assert_envelope(site.get(path), 404, "not_found")


def test_a_token_that_is_wrong_is_no_obstacle_to_the_open_addresses(site: Client) -> None:
    assert site.get("/v1/version", HTTP_AUTHORIZATION="Bearer stale").status_code == 200


@pytest.mark.parametrize("origin", [LOCAL, "http://127.0.0.1", "http://[::1]:3000"])
def test_a_page_from_localhost_may_call_in_development(site: Client, origin: str) -> None:
    response = site.options(
        "/v1/version",
        HTTP_ORIGIN=origin,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="idempotency-key,x-api-key",
    )
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == origin


CUSTOM_HEADERS = [
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "prefer",
    "x-api-key",
    "x-client-request-id",
    "x-csrftoken",
    "x-request-id",
]


@pytest.mark.parametrize("header", CUSTOM_HEADERS)
def test_a_preflight_admits_every_header_of_the_contract(site: Client, header: str) -> None:
    response = site.options(
        "/v1/version", HTTP_ORIGIN=LOCAL, HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET"
    )
    assert header in response["Access-Control-Allow-Headers"].split(", ")


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "http://localhost.evil.test", "http://localhost:80x", "null"]
)
def test_a_foreign_page_may_not_read_answers(site: Client, origin: str) -> None:
    response = site.get("/v1/version", HTTP_ORIGIN=origin)
    assert "Access-Control-Allow-Origin" not in response


def test_an_admitted_page_can_read_errors_and_their_headers(site: Client) -> None:
    response = site.get("/v1/nothing", HTTP_ORIGIN=LOCAL)
    exposed = response["Access-Control-Expose-Headers"].lower().split(", ")
    assert_envelope(response, 404, "not_found")
    assert response["Access-Control-Allow-Origin"] == LOCAL
    assert {"x-request-id", "retry-after", "link", "location"} <= set(exposed)
