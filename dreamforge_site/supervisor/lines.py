"""What a child writes, cut into bounded lines and made fit for where it is shown. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

MAX_LINE_BYTES = 262_144
NAME_WIDTH = 10
RESET = "\x1b[0m"
COLOURS = {
    "web": "\x1b[36m",
    "worker-io": "\x1b[32m",
    "worker-gpu": "\x1b[35m",
    "scheduler": "\x1b[33m",
    "dreamforge": "\x1b[1;34m",
}
# Everything a terminal obeys: escape sequences first, then single control characters but the tab.
CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
COLOUR_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Splitter:
    """Collects bytes and gives whole lines; of a line that never ends only the beginning."""

    _tail: bytearray = field(default_factory=bytearray)
    _cut: int = 0

    def feed(self, data: bytes) -> list[bytes]:
        *whole, rest = data.split(b"\n")
        finished = []
        for part in whole:
            self._extend(part)
            finished.append(self._take())
        self._extend(rest)
        return finished

    def flush(self) -> list[bytes]:
        """What came after the last newline, once there will be no other."""
        return [self._take()] if self._tail else []

    def _extend(self, part: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._tail)
        self._tail += part[:room]
        self._cut += max(len(part) - room, 0)

    def _take(self) -> bytes:
        line = bytes(self._tail)
        if self._cut:
            line += f" … {self._cut} bytes cut".encode()
        self._tail, self._cut = bytearray(), 0
        return line


@dataclass(frozen=True)
class Style:
    """`json` keeps one object a line; otherwise the process is named, with `colour` in colours."""

    json: bool
    colour: bool

    def render(self, name: str, line: bytes) -> bytes:
        text = clean(line.decode("utf-8", "replace"), keep_colours=self.colour)
        if self.json:
            return (text if text.startswith("{") else as_json(name, text)).encode() + b"\n"
        label = f"{name:<{NAME_WIDTH}} | "
        if self.colour:
            label, text = f"{COLOURS.get(name, '')}{label}{RESET}", text + RESET
        return f"{label}{text}\n".encode()


def clean(text: str, *, keep_colours: bool = False) -> str:
    """Without what a terminal would obey: no line can move the cursor or forge another."""

    def replace(found: re.Match[str]) -> str:
        return found[0] if keep_colours and COLOUR_SEQUENCE.fullmatch(found[0]) else ""

    return CONTROLS.sub(replace, text)


def as_json(name: str, text: str) -> str:
    """A line that some library wrote past the log, as a log line."""
    return json.dumps(
        {
            "ts": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "level": "info",
            "logger": f"dreamforge.{name}",
            "event": text,
        },
        ensure_ascii=False,
    )
