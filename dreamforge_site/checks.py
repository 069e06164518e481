"""Boot checks: what would lose work or open a door stops the start with one line that says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.core.management.base import CommandError

from dreamforge_site.databases import faults, opening_faults

# What a process can ask itself at every start: these load neither the URLs nor the admin.
CHEAP = (Tags.compatibility, Tags.database, Tags.security)


@register(Tags.database, "dreamforge")
def database_settings(**_: Any) -> list[CheckMessage]:
    return [
        Error(f"DATABASES[{alias!r}]: {fault}.", id="dreamforge.E001")
        for alias, entry in settings.DATABASES.items()
        for fault in faults(entry)
    ]


@register(Tags.database, "dreamforge")
def opened_databases(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Of the aliases a command is about to use: `check` alone opens none."""
    return [
        Error(f"DATABASES[{alias!r}]: {fault}.", id="dreamforge.E002")
        for alias in databases or ()
        for fault in opening_faults(settings.DATABASES[alias])
    ]


def require_sound() -> None:
    """For a process that no supervisor has checked: CommandError with a line for each error."""
    lines = serious(run_checks(tags=CHEAP, databases=["default"]))
    if lines:
        raise CommandError("\n".join(lines))


def serious(found: Iterable[CheckMessage]) -> list[str]:
    return [
        f"{message.id}: {message.msg}"
        for message in found
        if message.is_serious() and not message.is_silenced()
    ]
