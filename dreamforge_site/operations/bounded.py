"""Asking parts that may hang: all at once, each for a limited time, never twice at once.

A thread that waits for a stopped server cannot be ended. It is left behind, remembered, and nobody
asks the same part again until it came back: probes cannot pile threads up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What one part answered: a value, an error, or neither when the time was up."""

    duration_s: float
    value: T | None = None
    error: Exception | None = None

    @property
    def timed_out(self) -> bool:
        return self.value is None and self.error is None


class _Question(Generic[T]):
    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._started = time.monotonic()
        self._outcome: Outcome[T] | None = None
        self._thread = threading.Thread(target=self._run, name=f"ask-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            value = self._ask()
        except Exception as error:  # noqa: BLE001  any failure of a part is that part's answer
            self._outcome = Outcome(self._took(), error=error)
        else:
            self._outcome = Outcome(self._took(), value=value)

    def _took(self) -> float:
        return time.monotonic() - self._started

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def answer(self, until: float) -> Outcome[T]:
        self._thread.join(max(0.0, until - time.monotonic()))
        return self._outcome or Outcome(self._took())


class Panel(Generic[T]):
    """The parts that are asked together; each returns something that is not None."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._open: dict[str, _Question[T]] = {}

    def ask(self, parts: Mapping[str, Callable[[], T]]) -> dict[str, Outcome[T]]:
        until = time.monotonic() + self._limit_s
        with self._lock:
            questions = {name: self._question(name, ask) for name, ask in parts.items()}
        return {name: question.answer(until) for name, question in questions.items()}

    def _question(self, name: str, ask: Callable[[], T]) -> _Question[T]:
        waiting = self._open.get(name)
        if waiting is None or not waiting.running:
            waiting = self._open[name] = _Question(name, ask)
        return waiting
