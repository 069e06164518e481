"""Query parameters: declared or refused, on every view of the site."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

from dreamforge_site.api.strictness import DeclaredQuery
from tests.dreamforge_site.api.test_failures import assert_envelope

# Speaks another hub's protocol, whose clients send parameters that mean nothing here.
FOREIGN = "downloader.hub.serving"
URL = "/v1/pictures"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("colour=red", {"colour": ["Unknown query parameter."]}),
        ("status=queued&a=1&b=2", {name: ["Unknown query parameter."] for name in "ab"}),
        ("status=queued&status=running", {"status": ["Given more than once."]}),
        ("format=json", {"format": ["Unknown query parameter."]}),
        ("limit=5", {"limit": ["Unknown query parameter."]}),
        ("a%00=1", {"a\\0": ["Unknown query parameter."]}),
    ],
)
def test_undeclared_parameters_are_named(
    sample: Client, query: str, fields: dict[str, list[str]]
) -> None:
    envelope = assert_envelope(sample.get(f"{URL}?{query}"), 422, "invalid_input")
    assert envelope["details"]["fields"] == fields


@pytest.mark.parametrize("query", ["status=lost", "enabled=perhaps", "status=", "status=%00"])
def test_a_wrong_value_is_refused_by_its_parameter(sample: Client, query: str) -> None:
    envelope = assert_envelope(sample.get(f"{URL}?{query}"), 422, "invalid_input")
    assert list(envelope["details"]["fields"]) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {}),
        ("status=queued", {"status": "queued"}),
        ("enabled=false", {"enabled": False}),
        ("status=running&enabled=true", {"status": "running", "enabled": True}),
    ],
)
def test_the_view_gets_what_was_given_and_no_more(
    sample: Client, query: str, values: dict[str, Any]
) -> None:
    assert sample.get(f"{URL}?{query}").json() == {"query": values}


def test_parameters_are_declared_by_method(sample: Client) -> None:
    response = sample.post(f"{URL}?status=queued", {"prompt": "x"}, "application/json")
    assert_envelope(response, 422, "invalid_input")


def test_head_takes_what_get_takes(sample: Client) -> None:
    assert sample.head(f"{URL}?status=queued").status_code == 200
    assert sample.head(f"{URL}?colour=red").status_code == 422


def test_options_describes_the_address(sample: Client) -> None:
    response = sample.options(f"{URL}?whatever=1")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json()["renders"] == ["application/json", "text/html"]


def test_no_view_of_the_site_is_without_the_check() -> None:
    views = api_views(get_resolver("dreamforge_site.urls"))
    ours = [(name, view) for name, view in views if not view.__module__.startswith(FOREIGN)]
    assert len(ours) > 10
    assert [name for name, view in ours if view.permission_classes[-1] is not DeclaredQuery] == []


def api_views(resolver: URLResolver) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            found += api_views(pattern)
        elif hasattr(pattern.callback, "cls"):
            found.append((str(pattern.pattern), pattern.callback.cls))
    return found
