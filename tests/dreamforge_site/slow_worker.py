"""`manage.py worker` with a slow task on top: what a test stops in the middle of its work."""

from __future__ import annotations

import os
import sys
import time

import structlog
from celery import shared_task

log = structlog.get_logger(__name__)


@shared_task(name="tests.slow", ignore_result=True)
def slow(seconds: float) -> None:
    log.info("slow_begins")
    time.sleep(seconds)
    log.info("slow_ends")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
