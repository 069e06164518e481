"""Boot checks: what would lose work or open a door stops the start with one line that says so."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from dreamforge_site import databases


@register(Tags.database, "dreamforge")
def database_settings(**_: Any) -> list[CheckMessage]:
    return [
        Error(f"DATABASES[{alias!r}]: {fault}.", id="dreamforge.E001")
        for alias, entry in settings.DATABASES.items()
        for fault in databases.faults(entry)
    ]
