"""The headers that the OpenAPI document names for jobs."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter

from jobs import idempotency

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
