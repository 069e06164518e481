"""`manage.py worker --queue io|gpu`: one worker process."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from dreamforge_site import checks, queues
from dreamforge_site.processes import ownership

MAX_CONCURRENCY = 64


class Command(BaseCommand):
    help = "Run background work of one queue until stopped: TERM finishes running tasks first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queue", required=True, choices=queues.NAMES)
        parser.add_argument(
            "--concurrency",
            type=_concurrency,
            help="tasks at a time (default: 4 for io, one for each of DF_GPU_DEVICES for gpu)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ownership.obey_supervisor()
        checks.require_sound()
        from dreamforge_site.processes import worker

        queue = options["queue"]
        concurrency = options["concurrency"] or worker.default_concurrency(
            queue, settings.ENVIRONMENT
        )
        sys.exit(worker.run(queue, concurrency))


def _concurrency(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_CONCURRENCY:
        raise ArgumentTypeError(f"takes a number from 1 to {MAX_CONCURRENCY}")
    return int(text)
