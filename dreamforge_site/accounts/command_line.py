"""How the account commands end when something is wrong: one line and the contract's exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from dreamforge_site.accounts.errors import AccountError

EXIT_CODES = {"invalid_input": 2, "not_found": 3}


@contextmanager
def readable_errors() -> Iterator[None]:
    try:
        yield
    except AccountError as error:
        raise CommandError(error.message, returncode=EXIT_CODES.get(error.code, 1)) from error
