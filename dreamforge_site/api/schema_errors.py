"""The errors as the OpenAPI document shows them: one schema, one reusable response a code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dreamforge_site.api.errors import RETRY_AFTER_S, STATUS_BY_CODE

Node = dict[str, Any]

REQUEST_ID_EXAMPLE = "3f0c6a5e9d7b4c21a8e4d2b1c0f9e8d7"
REQUEST_ID: Node = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
RETRY_AFTER: Node = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}

# What the code means, and an example of message and details.
ERRORS: dict[str, tuple[str, str, Node]] = {
    "already_downloaded": (
        "Everything asked for is there already.",
        "All 14 files of this revision are on disk; send `force` to fetch them again.",
        {},
    ),
    "conflict": ("Another thing of that name exists.", "The name 'workshop' is taken.", {}),
    "forbidden": ("The caller may not do this.", "You may not do that.", {}),
    "idempotency_conflict": (
        "The idempotency key was used with another body.",
        "This Idempotency-Key was sent with a different body before; use a new key.",
        {},
    ),
    "idempotency_in_progress": (
        "The first request with this idempotency key is still being answered.",
        "A request with this Idempotency-Key is in progress; try again.",
        {},
    ),
    "infra_unavailable": (
        "Something the service stands on is away; try again.",
        "The database is not available just now.",
        {},
    ),
    "insufficient_storage": ("The disk is too full.", "12.4 GiB are needed, 3.1 GiB are free.", {}),
    "internal": (
        "A fault of the service; the log tells it under the correlation id.",
        "Something broke on our side; the log has the details.",
        {},
    ),
    "invalid_input": (
        "The request was understood, and a value in it is not acceptable.",
        "The request is not valid: width.",
        {"fields": {"width": ["Must be an integer."]}},
    ),
    "invalid_state": ("Its state does not allow this.", "The job has already finished.", {}),
    "malformed_request": (
        "The request could not be read.",
        "The body is not valid JSON: Expecting value at line 1, column 1.",
        {},
    ),
    "method_not_allowed": ("See `Allow`.", 'Method "PUT" not allowed.', {}),
    "not_found": (
        "Nothing is there, or nothing the caller may see.",
        "There is nothing at this address.",
        {},
    ),
    "payload_too_large": ("The body is over 1 MiB.", "The body is larger than 1 MiB.", {}),
    "rate_limited": ("Too many requests.", "Too many attempts; try again in 30 seconds.", {}),
    "range_not_satisfiable": (
        "The range begins after the end of the file.",
        "The range begins after the end of the file, which has 1482331 bytes.",
        {"size_bytes": 1_482_331},
    ),
    "unauthenticated": (
        "Credentials are missing, wrong, expired or revoked.",
        "Authentication credentials were not provided.",
        {},
    ),
    "unsupported_media_type": (
        "The body is not plain JSON.",
        'Unsupported media type "text/plain" in request.',
        {},
    ),
    "upstream_error": ("The hub answered with an error.", "The hub answered 502.", {}),
    "upstream_gated": (
        "The hub wants a token, or a licence accepted.",
        "This repository is gated: accept its licence on the hub and set HF_TOKEN.",
        {},
    ),
}

ENVELOPE: Node = {
    "type": "object",
    "description": "The answer to every request that was not successful.",
    "required": ["code", "message", "details", "correlation_id"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string", "enum": sorted(STATUS_BY_CODE), "description": "Stable."},
        "message": {"type": "string", "description": "For people; may change."},
        "details": {
            "type": "object",
            "description": "For `invalid_input`: `fields`, a list of problems by field.",
            "properties": {
                "fields": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                }
            },
        },
        "correlation_id": {
            "type": "string",
            "description": "Id of the job or download concerned, otherwise of the request.",
        },
    },
}

HEADERS: Node = {
    "NextPage": {
        "description": 'The next page, as `<address>; rel="next"`; absent on the last one.',
        "schema": {"type": "string"},
        "example": '<http://127.0.0.1:8000/v1/auth/keys?cursor=WyI3Il0>; rel="next"',
    },
    "RequestId": {
        "description": "The `X-Client-Request-Id` or `X-Request-Id` that was sent (1 to 128 of "
        "`A-Z a-z 0-9 . _ -`), otherwise a new one. It is in every log line of the request.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "example": REQUEST_ID_EXAMPLE,
    },
    "RetryAfter": {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "WwwAuthenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string"},
        "example": "Bearer",
    },
}


def responses() -> Node:
    """The reusable responses, one for each code."""
    return {_name(code): _response([code]) for code in ERRORS}


def add(declared: Node, codes: Iterable[str]) -> None:
    """Adds to an operation's responses what it can fail with; its own descriptions stay."""
    by_status: dict[str, list[str]] = defaultdict(list)
    for code in codes:
        by_status[str(STATUS_BY_CODE[code])].append(code)
    for status, found in by_status.items():
        description = declared.get(status, {}).get("description")
        if len(found) == 1 and not description:
            declared[status] = {"$ref": f"#/components/responses/{_name(found[0])}"}
        else:
            declared[status] = _response(found, description)


def _name(code: str) -> str:
    return "".join(part.capitalize() for part in code.split("_"))


def _response(codes: list[str], description: str | None = None) -> Node:
    meaning = " ".join(f"`{code}`: {ERRORS[code][0]}" for code in codes)
    return {
        "description": description or meaning,
        "headers": _headers(codes),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": {_name(code): {"value": _example(code)} for code in codes},
            }
        },
    }


def _headers(codes: list[str]) -> Node:
    found = dict(REQUEST_ID)
    if any(code in RETRY_AFTER_S for code in codes):
        found |= RETRY_AFTER
    if "unauthenticated" in codes:
        found["WWW-Authenticate"] = {"$ref": "#/components/headers/WwwAuthenticate"}
    return found


def _example(code: str) -> Node:
    _, message, details = ERRORS[code]
    return {
        "code": code,
        "message": message,
        "details": details,
        "correlation_id": REQUEST_ID_EXAMPLE,
    }
