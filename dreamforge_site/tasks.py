"""The site's own two tasks: an echo that proves the way through, and the hourly housekeeping."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.conf import settings
from django.core.management import call_command
from django.utils.module_loading import import_string

log = structlog.get_logger(__name__)


@shared_task(name="dreamforge.ping")
def ping(message: str = "pong") -> str:
    log.info("ping", message=message)
    return message


@shared_task(name="dreamforge.housekeeping", ignore_result=True)
def housekeeping() -> None:
    """Run every routine of settings.HOUSEKEEPING; one that fails keeps no other from running."""
    failed = [path for path in settings.HOUSEKEEPING if not _routine_succeeds(path)]
    if failed:
        raise RuntimeError(f"housekeeping failed: {', '.join(failed)}")


def at_start() -> None:
    """Run every routine of settings.AT_START; one that fails is logged and stops no worker."""
    for path in settings.AT_START:
        _routine_succeeds(path)


def clear_sessions() -> None:
    call_command("clearsessions")


def _routine_succeeds(path: str) -> bool:
    try:
        outcome = import_string(path)()
    except Exception:  # each routine is a border of its own
        log.exception("housekeeping_failed", routine=path)
        return False
    log.info("housekeeping_done", routine=path, outcome=outcome)
    return True
