"""The one place accounts read the time from, so that a test can stand at another moment."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    return timezone.now()
