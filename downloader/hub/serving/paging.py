"""Pages of a tree: the cursor says after which path to go on."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from downloader.hub.serving import refusals

LONGEST = 1000
Line = dict[str, Any]


def page(lines: Sequence[Line], query: Mapping[str, str]) -> tuple[list[Line], str | None]:
    """`lines` are sorted by path; also the cursor of the page that follows."""
    after = _decoded(query["cursor"]) if query.get("cursor") else ""
    left = [line for line in lines if line["path"] > after]
    size = min(LONGEST, _limit(query.get("limit")))
    found = left[:size]
    return found, _encoded(found[-1]["path"]) if len(left) > size else None


def _limit(text: str | None) -> int:
    if text is None:
        return LONGEST
    if not (text.isascii() and text.isdecimal() and int(text[:9]) > 0):
        raise refusals.bad_request("`limit` must be a number above 0.")
    return int(text[:9])


def _encoded(path: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": path}).encode()).decode("ascii")


def _decoded(cursor: str) -> str:
    try:
        told = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        return str(told["after"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise refusals.bad_request("The cursor is none of this endpoint's.") from None
