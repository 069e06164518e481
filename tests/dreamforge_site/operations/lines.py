"""Log lines as a process writes them, caught in memory."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dreamforge_site.logs import LineFormatter
from dreamforge_site.operations.redaction import Redactor


class Lines:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> dict[str, Any]:
        """The only line of this event."""
        (line,) = [line for line in self.parsed if line["event"] == event]
        return line


@contextmanager
def caught(
    *, secrets: tuple[str, ...] = (), as_text: bool = False, level: int = logging.INFO
) -> Iterator[Lines]:
    lines = Lines()
    handler = logging.StreamHandler(lines.stream)
    handler.setFormatter(LineFormatter(Redactor(secrets), as_text))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
