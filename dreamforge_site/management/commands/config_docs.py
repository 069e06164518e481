"""`manage.py config_docs [--check]`: write the configuration's documents, or find them outdated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dreamforge_site.environment import BASE_DIR
from dreamforge_site.operations import configuration


class Command(BaseCommand):
    help = "Write docs/configuration.md and .env.example from the table of variables."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit 1 when one is outdated"
        )

    def handle(self, *_args: Any, check: bool, **_options: Any) -> None:
        outdated = {
            path: text for path, text in configuration.documents().items() if _read(path) != text
        }
        if check and outdated:
            raise CommandError(f"{_names(outdated)}: outdated; {configuration.REMEDY}")
        for path, text in outdated.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.stderr.write(f"written: {_names(outdated)}" if outdated else "up to date")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _names(paths: dict[Path, str]) -> str:
    return ", ".join(str(path.relative_to(BASE_DIR)) for path in paths)
