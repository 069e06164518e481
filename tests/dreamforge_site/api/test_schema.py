"""The OpenAPI document: valid, complete, committed, and drawn without the network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import get_resolver
from openapi_spec_validator import validate

from dreamforge_site.api import schema, schema_errors
from dreamforge_site.api.errors import STATUS_BY_CODE
from tests.dreamforge_site.api.test_failures import assert_envelope
from tests.dreamforge_site.api.test_strictness import api_views

COMMITTED = Path(__file__).parents[3] / "docs/openapi/openapi.v1.json"
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in schema.document()["paths"].items()
    for method, operation in methods.items()
]
each_operation = pytest.mark.parametrize(
    "operation", [found for _, found in OPERATIONS], ids=[name for name, _ in OPERATIONS]
)


def test_the_committed_document_is_what_the_code_makes() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema.as_text(schema.document())


def test_the_document_is_valid_openapi() -> None:
    document = json.loads(schema.as_text(schema.document()))
    assert document["openapi"].startswith("3.")
    validate(document)


def test_the_generator_has_no_complaint() -> None:
    assert schema.generate()[1] == []


def test_every_view_with_a_schema_is_in_the_document() -> None:
    views = api_views(get_resolver("dreamforge_site.urls"))
    shown = {
        (name, method)
        for name, view in views
        if view.schema is not None
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(view, method)
    }
    assert len(shown) == len(OPERATIONS) > 5


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, operation in OPERATIONS]
    assert sorted(set(ids)) == sorted(ids)


@each_operation
def test_an_operation_says_what_it_is(operation: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", operation["operationId"])
    assert operation["summary"]
    assert len(operation["description"]) > 20
    assert operation["tags"]


@each_operation
def test_an_operation_has_examples_for_every_body(operation: dict[str, Any]) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    bodies += [_resolved(response) for response in operation["responses"].values()]
    without = [
        body
        for body in bodies
        for content in body.get("content", {}).values()
        if not content.get("examples")
    ]
    assert bodies
    assert without == []


@each_operation
def test_an_operation_documents_its_errors_with_the_envelope(operation: dict[str, Any]) -> None:
    errors = {
        status: _resolved(response)
        for status, response in operation["responses"].items()
        if status >= "400"
    }
    assert {"400", "422", "500", "503"} <= set(errors)
    shapes = [error["content"]["application/json"]["schema"] for error in errors.values()]
    assert [shape for shape in shapes if shape != {"$ref": "#/components/schemas/Error"}] == []


@each_operation
def test_an_operation_promises_the_request_id(operation: dict[str, Any]) -> None:
    without = [
        status
        for status, response in operation["responses"].items()
        if "X-Request-Id" not in _resolved(response)["headers"]
    ]
    assert without == []


@each_operation
def test_a_request_body_takes_no_other_field(operation: dict[str, Any]) -> None:
    body = operation.get("requestBody", {"content": {}})
    schemas = [content["schema"] for content in body["content"].values()]
    # A file is a string of bytes, which has no fields.
    bodies = [_component(schema) for schema in schemas if schema.get("format") != "binary"]
    shapes = [one for body in bodies for one in [*map(_component, body.get("oneOf", ()))] or [body]]
    assert [shape for shape in shapes if shape["additionalProperties"] is not False] == []


def test_closed_operations_name_every_way_to_authenticate() -> None:
    paths = schema.document()["paths"]
    ways = [name for way in paths["/v1/auth/me"]["get"]["security"] for name in way]
    schemes = schema.document()["components"]["securitySchemes"]
    assert sorted(ways) == sorted(schemes)
    assert {"http", "apiKey"} == {scheme["type"] for scheme in schemes.values()}
    assert not any(paths["/v1/version"]["get"].get("security", []))


def test_a_list_documents_its_pages() -> None:
    operation = schema.document()["paths"]["/v1/auth/keys"]["get"]
    names = [parameter["name"] for parameter in operation["parameters"]]
    answer = _component(operation["responses"]["200"]["content"]["application/json"]["schema"])
    assert {"limit", "cursor"} <= set(names)
    assert set(answer["properties"]) == {"keys", "next_cursor"}
    assert "Link" in operation["responses"]["200"]["headers"]


def test_every_code_has_a_response() -> None:
    assert set(schema_errors.ERRORS) == set(STATUS_BY_CODE)


def test_the_check_sees_drift(tmp_path: Path) -> None:
    with override_settings(BASE_DIR=tmp_path):
        with pytest.raises(CommandError, match=r"run .manage\.py openapi"):
            call_command("openapi", "--check")
        call_command("openapi")
        call_command("openapi", "--check")
        written = tmp_path / "docs/openapi/openapi.v1.json"
        written.write_text(written.read_text().replace("Dream Forge", "Other", 1))
        with pytest.raises(CommandError, match="is not what the code makes"):
            call_command("openapi", "--check")


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("", "*/*", "application/json"),
        ("", "text/html", "application/json"),
        ("", "application/yaml", "application/yaml"),
        ("?format=json", "application/yaml", "application/json"),
        ("?format=yaml", "*/*", "application/yaml"),
    ],
)
def test_the_document_is_served_as_json_and_yaml(
    site: Client, query: str, accept: str, content_type: str
) -> None:
    response = site.get(f"/v1/schema{query}", HTTP_ACCEPT=accept)
    assert response.status_code == 200
    assert response["Content-Type"].startswith(content_type)
    assert yaml.safe_load(response.content) == json.loads(COMMITTED.read_text())


def test_another_format_is_refused(site: Client) -> None:
    assert_envelope(site.get("/v1/schema?format=xml"), 422, "invalid_input")


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/redoc"])
def test_the_documentation_pages_are_made_of_local_files(site: Client, path: str) -> None:
    response = site.get(path)
    html = response.content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    local = [address.removeprefix("/static/") for address in loaded]
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    assert len(loaded) >= 2
    assert [address for address in local if finders.find(address) is None] == []
    assert "://" not in html.replace("http://www.w3.org", "")
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert '"/v1/schema"' in html


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/redoc", "/v1/schema", "/v1/version", "/v1/"])
def test_the_pages_about_the_api_take_get_and_head_only(site: Client, path: str) -> None:
    assert site.head(path).status_code == 200
    response = site.post(path)
    assert_envelope(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


def _resolved(response: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in response:
        return response
    name = response["$ref"].rpartition("/")[2]
    found: dict[str, Any] = schema.document()["components"]["responses"][name]
    return found


def _component(reference: dict[str, Any]) -> dict[str, Any]:
    name = reference["$ref"].rpartition("/")[2]
    found: dict[str, Any] = schema.document()["components"]["schemas"][name]
    return found
