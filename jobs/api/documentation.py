"""What the OpenAPI document says of jobs beyond their serializers: headers, and the body of each
job type."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

from jobs import idempotency, kinds
from jobs.kinds import Kind

Node = dict[str, Any]
COMMON = ("priority", "webhook")

IDEMPOTENCY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*[!-~][ -~]*$"},
    OpenApiParameter.HEADER,
    description="1 to 255 printable ASCII characters. Sent again within 24 h with the same body, "
    "the first answer is given again (`Idempotent-Replayed: true`); with another body: 409.",
)
PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description="`wait=N` is the same as `?wait=N`."
)


def _answered(name: str, description: str, *statuses: int) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, description=description, response=list(statuses)
    )


LOCATION = _answered("Location", "Where the job is.", 202, 200)
REPLAYED = _answered(
    "Idempotent-Replayed", "`true`: this answer was given before, for the same key.", 202, 200
)
PREFERENCE_APPLIED = _answered("Preference-Applied", "The wait that was granted.", 202, 200)
CREATED = (LOCATION, REPLAYED, PREFERENCE_APPLIED)


class JobBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A new job is one of the types, each with its own fields beside those of all."""

    target_class = "jobs.api.serializers.JobCreateSerializer"

    def map_serializer(self, auto_schema: Any, direction: str) -> Node:
        every = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        common = {name: every["properties"][name] for name in COMMON}
        found = {
            kind.name: _component(auto_schema, _body(auto_schema, kind, common, direction), kind)
            for kind in kinds.table().values()
        }
        return {
            "oneOf": [{"$ref": ref} for ref in found.values()],
            "discriminator": {"propertyName": "type", "mapping": found},
        }


def _body(auto_schema: Any, kind: Kind, common: Node, direction: str) -> Node:
    own: Node = auto_schema._map_serializer(import_string(kind.serializer)(), direction)
    name = {"type": "string", "enum": [kind.name]}
    return own | {
        "properties": {**own.get("properties", {}), **common, "type": name},
        "required": sorted({*own.get("required", ()), "type"}),
    }


def _component(auto_schema: Any, body: Node, kind: Kind) -> str:
    """Where the document keeps it."""
    made: Any = ResolvedComponent(  # type: ignore[no-untyped-call]
        name=f"{kind.name.title().replace('_', '')}JobRequest",
        type=ResolvedComponent.SCHEMA,
        object=kind.name,
        schema=body,
    )
    auto_schema.registry.register_on_missing(made)
    ref: str = made.ref["$ref"]
    return ref
