"""The body of a new job in the OpenAPI document: one shape for each type."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from dreamforge_site.api import schema
from jobs import kinds

pytestmark = pytest.mark.pure

SELFTEST = {"type": "selftest", "items": 2, "priority": -1}


@pytest.fixture(scope="module")
def body() -> Draft202012Validator:
    document = Resource.from_contents(schema.document(), DRAFT202012)
    registry = Registry().with_resource("urn:document", document)
    named = {"$ref": "urn:document#/components/schemas/JobCreateRequest"}
    return Draft202012Validator(named, registry=registry)


def test_every_type_has_a_body_of_its_own() -> None:
    schemas = schema.document()["components"]["schemas"]
    told = schemas["JobCreateRequest"]["discriminator"]
    assert told["propertyName"] == "type"
    assert list(told["mapping"]) == list(kinds.table())
    bodies = {name: schemas[ref.rpartition("/")[2]] for name, ref in told["mapping"].items()}
    assert {name: body["properties"]["type"]["enum"] for name, body in bodies.items()} == {
        name: [name] for name in kinds.table()
    }
    assert all({"priority", "webhook"} < set(body["properties"]) for body in bodies.values())


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        (SELFTEST, True),
        ({**SELFTEST, "webhook": {"url": "https://hooks.example.org/"}}, True),
        ({**SELFTEST, "prompt": "a field of another type"}, False),
        ({**SELFTEST, "type": "render"}, False),
        ({**SELFTEST, "items": 0}, False),
        ({"items": 2}, False),
        ({"type": "generate", "prompt": "a lighthouse"}, True),
        ({"type": "generate"}, False),
    ],
)
def test_the_document_takes_what_the_service_takes(
    body: Draft202012Validator, given: dict[str, Any], fits: bool
) -> None:
    assert body.is_valid(given) is fits
