"""`manage.py web`: the web server alone, as a container runs it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dreamforge_site import checks
from dreamforge_site.processes import listening, ownership


class Command(BaseCommand):
    help = "Serve the API and the admin on DF_HOST and PORT until stopped."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        ownership.obey_supervisor()
        checks.require_sound()
        from dreamforge_site.processes import web

        environment = settings.ENVIRONMENT
        try:
            listener = listening.inherit_or_listen(environment.host, environment.port)
        except listening.ListenError as error:
            raise CommandError(str(error)) from error
        web.serve(environment, listener)
