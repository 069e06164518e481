"""The OpenAPI document: what views declare, completed by what the plumbing does for all of them.

A view says the particular (`extend_schema`: operation id, summary, description, responses,
examples; and the attributes listed in strictness.py). Added here: undeclared input is refused, the
errors with the one envelope, the request id, the pages. `document()` is what `/v1/schema` serves
and what is committed as docs/openapi/openapi.v1.json.
"""

from __future__ import annotations

import functools
import json
from http import HTTPStatus
from typing import Any

from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from dreamforge_site.api import declarations, schema_errors

Node = dict[str, Any]

BODY_METHODS = ("POST", "PUT", "PATCH")


class ContractSchema(AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> Node | None:
        operation: Node | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            schema_errors.add(operation["responses"], self._error_codes())
        return operation

    def get_override_parameters(self) -> list[Any]:
        query = declarations.query_serializer_class(self.view, self.method)
        return [query] if query else []

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    def _get_response_headers_for_code(self, status_code: str, *args: Any, **kwargs: Any) -> Node:
        found: Node = super()._get_response_headers_for_code(status_code, *args, **kwargs)
        if self._is_list_view() and status_code == "200":
            found["Link"] = {"$ref": "#/components/headers/NextPage"}
        return found

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self.method == "GET" and declarations.is_list(self.view)

    def _get_paginator(self) -> Any:
        paginator = super()._get_paginator()  # type: ignore[no-untyped-call]
        if paginator is not None:
            paginator.view = self.view
        return paginator

    def _get_pagination_parameters(self) -> list[Node]:
        if not self._is_list_view():
            return []
        return super()._get_pagination_parameters()  # type: ignore[no-any-return, no-untyped-call]

    def _map_serializer(self, serializer: Any, direction: str, *args: Any, **kwargs: Any) -> Node:
        schema: Node = super()._map_serializer(  # type: ignore[no-untyped-call]
            serializer, direction, *args, **kwargs
        )
        if direction == "request" and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        return schema

    def _error_codes(self) -> list[str]:
        codes = ["malformed_request", "invalid_input", "internal", "infra_unavailable"]
        if self.view.get_authenticators():
            codes += ["unauthenticated", "forbidden"]
        if "{" in self.path:
            codes.append("not_found")
        if self.method in BODY_METHODS:
            codes += ["payload_too_large", "unsupported_media_type"]
        if self.view.throttle_classes:
            codes.append("rate_limited")
        return sorted({*codes, *declarations.error_codes(self.view, self.method)})


def complete(result: Node, **_: Any) -> Node:
    """The document's last step: the shared components, and what every answer carries."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = schema_errors.ENVELOPE
    components["headers"] = schema_errors.HEADERS
    components["responses"] = schema_errors.responses()
    for operation in operations(result):
        for status, response in operation["responses"].items():
            if "$ref" not in response:
                response.setdefault("headers", {}).update(schema_errors.REQUEST_ID)
                response["description"] = response["description"] or HTTPStatus(int(status)).phrase
    _drop_enum_marks(result)
    return result


def operations(document: Node) -> list[Node]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def _drop_enum_marks(node: Any) -> None:
    """The generator's private note, left for a hook that names enums; here they stay in place."""
    if isinstance(node, dict):
        node.pop("x-spec-enum-id", None)
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            _drop_enum_marks(child)


@functools.cache
def document() -> Node:
    """The whole document; the same for every caller and every configuration."""
    return generate()[0]


def generate() -> tuple[Node, list[str]]:
    """The document and what the generator complained about."""
    with GENERATOR_STATS.silence():
        generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
        made = generator.get_schema(request=None, public=True)
        complaints = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    return made, complaints


def as_text(made: Node) -> str:
    """The committed form: one order, one layout."""
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
