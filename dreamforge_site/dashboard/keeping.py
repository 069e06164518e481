"""What was looked up, for all who ask within some seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_all: list[Kept[Any]] = []


class Kept(Generic[T]):
    """Looks at most once in `seconds`; who asks meanwhile waits for that look or gets its answer.
    A look that fails is the failure of whoever asked, and is tried again by the next."""

    def __init__(self, look: Callable[[], T], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._lock = threading.Lock()
        self._found: tuple[float, T] | None = None
        _all.append(self)

    def __call__(self) -> T:
        with self._lock:
            if self._found is None or time.monotonic() >= self._found[0]:
                value = self._look()
                self._found = (time.monotonic() + self._seconds, value)
            return self._found[1]

    def forget(self) -> None:
        self._found = None


def kept(seconds: float) -> Callable[[Callable[[], T]], Kept[T]]:
    def wrap(look: Callable[[], T]) -> Kept[T]:
        return Kept(look, seconds)

    return wrap


def forget() -> None:
    """Look afresh from now on."""
    for one in _all:
        one.forget()
