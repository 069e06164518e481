"""Writes that must not be lost to a database restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

log = structlog.get_logger(__name__)

T = TypeVar("T")
PATIENCE_S = 120.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0


def persist(write: Callable[[], T]) -> T:
    """Do `write`, again and again while the database is away, for as long as PATIENCE_S. Within a
    transaction of the caller's it is done once: only the caller can do all of that again."""
    if connection.in_atomic_block:
        return write()
    give_up_at = time.monotonic() + PATIENCE_S
    wait_s = FIRST_WAIT_S
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() >= give_up_at:
                raise
            log.warning("database_away", reason=str(error).strip(), wait_s=round(wait_s, 2))
            connection.close()
            time.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
        finally:
            # Gives a pooled connection back: a job that runs for an hour must not hold one.
            close_old_connections()
