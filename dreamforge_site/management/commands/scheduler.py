"""`manage.py scheduler`: the one process that rings the clock's bells."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from dreamforge_site import checks
from dreamforge_site.processes import ownership


class Command(BaseCommand):
    help = "Send the periodic tasks until stopped. Run exactly one."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        ownership.obey_supervisor()
        checks.require_sound()
        from dreamforge_site.processes import scheduler

        scheduler.run(settings.ENVIRONMENT.data_dir)
