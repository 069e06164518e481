"""`manage.py dreamforge`: the whole service on one machine, in one command."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dreamforge_site.supervisor.errors import StartError


class Command(BaseCommand):
    help = (
        "Prepare the database, then run web, workers and scheduler until stopped. "
        "Exit status: 0 after TERM, 130 after ^C, 1 when it cannot start."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        from dreamforge_site.supervisor import service

        try:
            sys.exit(service.run(settings.ENVIRONMENT))
        except StartError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:  # before the first child was started
            sys.exit(service.INTERRUPTED)
