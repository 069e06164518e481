"""How much one event may hold, so that one line of one job cannot fill a disk or a reader's memory:
functions of values. What is cut says so."""

from __future__ import annotations

import json
from typing import Any

MESSAGE_BYTES = 8 * 1024
PAYLOAD_BYTES = 64 * 1024
CUT = "cut"  # the payload's field that says what is missing
NAMED = 10
NAME_CHARS = 50


def message(text: str) -> str:
    """Its beginning, and a word on the rest, when it is too long."""
    encoded = text.encode()
    if len(encoded) <= MESSAGE_BYTES:
        return text
    mark = f"… (cut: {len(encoded)} bytes)"
    kept = encoded[: MESSAGE_BYTES - len(mark.encode())].decode("utf-8", "ignore")
    return kept + mark


def payload(data: dict[str, Any]) -> dict[str, Any]:
    """Its fields while there is room for them; `cut` names those that had none."""
    if _size(data) <= PAYLOAD_BYTES:
        return data
    room = PAYLOAD_BYTES - _size(_mark([CUT * NAME_CHARS] * NAMED))
    kept: dict[str, Any] = {}
    cut: list[str] = []
    for name, value in data.items():
        needed = _size({name: value})
        if needed <= room:
            kept[name] = value
            room -= needed
        else:
            cut.append(f"{name[:NAME_CHARS]} ({needed} bytes)")
    return kept | _mark(cut)


def _mark(cut: list[str]) -> dict[str, Any]:
    more = [f"{len(cut) - NAMED} more"] if len(cut) > NAMED else []
    return {CUT: [*cut[:NAMED], *more]}


def _size(data: dict[str, Any]) -> int:
    return len(json.dumps(data, ensure_ascii=False).encode())
