"""Errors as clients of the OpenAI API read them: `{"error": {message, type, param, code}}`.

`translated` (settings.ERROR_DIALECTS) turns every envelope below `/openai` into that, whichever
layer it comes from. A wrong value is 400 there, not 422.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Answer = tuple[int, dict[str, Any], dict[str, str]]

BAD_REQUEST, UNPROCESSABLE, CONFLICT = 400, 422, 409
INVALID_REQUEST = "invalid_request_error"
SERVER = "server_error"
TYPE_BY_STATUS = {403: "permission_error", 429: "rate_limit_error"}
# Where that API has a word of its own; elsewhere ours stands.
CODE_BY_CODE = {
    "unauthenticated": "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
    "method_not_allowed": "method_not_supported",
    "invalid_input": "invalid_value",
    "internal": "server_error",
}
CODE_BY_REASON = {
    "Unknown field.": "unknown_parameter",
    "Unknown query parameter.": "unknown_parameter",
    "This field is required.": "missing_required_parameter",
}
# The official clients send a POST again after 409 and 5xx, unless this says that it is no use.
NO_RETRY = {"X-Should-Retry": "false"}


def body(message: str, kind: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def translated(status: int, envelope: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    """`details` may name the `param` and that API's own `code`."""
    details = envelope["details"]
    fields = details.get("fields") or {}
    message, param, code = envelope["message"], details.get("param"), details.get("code")
    if fields:
        param, reasons = next(iter(fields.items()))
        reason = str(next(iter(reasons), ""))
        code = code or CODE_BY_REASON.get(reason)
        message = f"{param}: {reason}"
    told = BAD_REQUEST if status == UNPROCESSABLE else status
    kind = SERVER if status >= 500 else TYPE_BY_STATUS.get(status, INVALID_REQUEST)
    code = code or CODE_BY_CODE.get(envelope["code"], envelope["code"])
    more = NO_RETRY if status == CONFLICT else {}
    return told, body(message, kind, code, param), {**headers, **more}
