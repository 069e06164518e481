"""Numbers and times as the admin's pages write them."""

from __future__ import annotations

from datetime import datetime

from django import template

from registry import wording

register = template.Library()


@register.filter
def sized(count: int | None) -> str:
    """Bytes; a dash where nobody knows."""
    return "-" if count is None else wording.size(count)


@register.filter
def numbered(value: int) -> str:
    """With a comma every three digits."""
    return f"{value:,}"


@register.filter
def lasted(seconds: float | None) -> str:
    """A stretch of time as people say it, to the precision that matters; a dash for none."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


@register.filter
def took(begin: datetime | None, end: datetime | None) -> str:
    """From one moment to the next."""
    return lasted((end - begin).total_seconds() if begin and end else None)
