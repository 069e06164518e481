"""`manage.py model_check`: put the registry right by what lies in the models root."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from registry import checks
from registry.command_line import FAILED, ModelCommand


class Command(ModelCommand):
    help = (
        "Compare every model with its folder, by names and sizes: mark those that are gone as not "
        "installed, and record folders that no model knows, disabled. Exit status 1 when something "
        "is gone or cannot be used. model_verify hashes the files."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = checks.run()
        except checks.RootUnreadable as error:
            raise CommandError(str(error), returncode=FAILED) from error
        for word in checks.FINDINGS:
            for line in getattr(report, word):
                self.say(f"{word}: {line}")
        self.say(f"{report.checked} models checked.")
        if report.missing or report.unusable:
            raise CommandError("Some models cannot be used; see above.", returncode=FAILED)
