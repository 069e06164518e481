"""What an API key may be used for. A key can do what its owner can do and its scopes name."""

from __future__ import annotations

from collections.abc import Iterable

from dreamforge_site.accounts.errors import InvalidInputError

READ = "read"
ADMIN = "admin"

SCOPES = {
    READ: "Look at everything its owner can see; change nothing.",
    "jobs": "Create, cancel and retry jobs.",
    "models": "Register, sync, download, verify and scan models.",
    ADMIN: "Everything else: API keys and whatever names no scope of its own.",
}


def parse(names: Iterable[str]) -> list[str]:
    """The named scopes in the table's order, each once; an error names unknown ones."""
    wanted = {name.strip() for name in names if name.strip()}
    unknown = sorted(wanted - SCOPES.keys())
    if unknown:
        raise InvalidInputError("scopes", f"{', '.join(unknown)}: not a scope; {_choices()}")
    if not wanted:
        raise InvalidInputError("scopes", f"At least one scope is needed; {_choices()}")
    return [name for name in SCOPES if name in wanted]


def _choices() -> str:
    return f"choose from {', '.join(SCOPES)}."
