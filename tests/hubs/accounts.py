"""Who may ask: tokens and the names behind them."""

from __future__ import annotations

from collections.abc import Callable


class Accounts:
    """The tokens an origin knows. Each one seen on another origin is a leak."""

    def __init__(self, guard: Callable[[str], None]) -> None:
        self._guard = guard
        self._names: dict[str, str] = {}

    def add(self, token: str, name: str) -> str:
        self._guard(token)
        self._names[token] = name
        return token

    def revoke(self, token: str) -> None:
        """It is not known any more, but still a secret."""
        self._names.pop(token, None)

    def name(self, token: str | None) -> str | None:
        return self._names.get(token) if token is not None else None
