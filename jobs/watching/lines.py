"""How one event is shown: a line of the log, and an event of a stream."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

FIELDS = (
    "job_id",
    "seq",
    "ts",
    "level",
    "code",
    "message",
    "payload",
    "step_id",
    "item_index",
)
STREAM_NAME_BY_CODE = {"progress": "progress", "artifact.written": "artifact", "error": "error"}
HEARTBEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Line:
    """An event as read from the database, encoded once for every listener."""

    seq: int
    name: str
    item_index: int | None
    encoded: bytes

    def replaces(self, earlier: Line) -> bool:
        """A later progress of the same item says all that an earlier one said."""
        return self.name == earlier.name == "progress" and self.item_index == earlier.item_index


@dataclass(frozen=True)
class Stretch:
    """All that a job's history holds after one number and up to another. Many listeners share it;
    an empty one says where the history stands."""

    after: int
    upto: int
    lines: tuple[Line, ...] = ()

    @cached_property
    def written(self) -> bytes:
        return encoded(self.lines)

    @cached_property
    def size_bytes(self) -> int:
        return sum(len(line.encoded) for line in self.lines)

    def since(self, seq: int) -> Stretch:
        """The part after `seq`: this very stretch where that is all of it."""
        if seq <= self.after:
            return self
        return Stretch(seq, self.upto, tuple(line for line in self.lines if line.seq > seq))


def joined(stretches: Sequence[Stretch]) -> bytes:
    """Stretches that follow each other, as a stream writes them."""
    if len(stretches) == 1:
        return stretches[0].written
    return encoded(line for stretch in stretches for line in stretch.lines)


def encoded(lines: Iterable[Line]) -> bytes:
    return b"".join(line.encoded for line in coalesced(lines))


def coalesced(lines: Iterable[Line]) -> list[Line]:
    """Of several progress events of one item in a row, the last; everything else stays."""
    kept: list[Line] = []
    for line in lines:
        if kept and line.replaces(kept[-1]):
            kept[-1] = line
        else:
            kept.append(line)
    return kept


def as_dict(row: tuple[Any, ...]) -> dict[str, Any]:
    """The contract's log line: ts, level, code, message, job_id, step_id?, item_index?, …"""
    facts = dict(zip(FIELDS, row, strict=True))
    payload = facts.pop("payload")
    shown = {key: _plain(value) for key, value in facts.items() if value is not None}
    return {**{key: value for key, value in payload.items() if key not in shown}, **shown}


def as_ndjson(row: tuple[Any, ...]) -> bytes:
    return _json(as_dict(row)) + b"\n"


def as_line(row: tuple[Any, ...]) -> Line:
    facts = dict(zip(FIELDS, row, strict=True))
    name = STREAM_NAME_BY_CODE.get(facts["code"], "log")
    seq = facts["seq"]
    return Line(seq, name, facts["item_index"], encode(seq, name, _json(as_dict(row))))


def encode(seq: int, name: str, data: bytes) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, name.encode(), data)


def end(last_seq: int, status: str) -> bytes:
    """The last event of a stream; its id stands after every event of the job."""
    return encode(last_seq + 1, "end", _json({"status": status}))


def retry_hint(milliseconds: int) -> bytes:
    """How long a client waits before it comes back."""
    return b"retry: %d\n\n" % milliseconds


def _json(value: dict[str, Any]) -> bytes:
    # No raw newline can occur in it, so one event stays one event and one line one line.
    return json.dumps(value, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, uuid.UUID) else value
