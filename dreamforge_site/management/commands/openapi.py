"""Writes the OpenAPI document to its committed place, or compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dreamforge_site.api import schema

COMMITTED = Path("docs/openapi/openapi.v1.json")


class Command(BaseCommand):
    help = f"Write {COMMITTED} from the code; with --check, fail when it differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        made, complaints = schema.generate()
        if complaints:
            raise CommandError("\n".join(complaints))
        path, text = settings.BASE_DIR / COMMITTED, schema.as_text(made)
        if not options["check"]:
            _write(path, text)
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            raise CommandError(f"{COMMITTED} is not what the code makes: run `manage.py openapi`.")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
