"""Facts of a model in words: functions of values."""

from __future__ import annotations

UNITS = ("B", "KiB", "MiB", "GiB")


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in UNITS:
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def state(installed: bool, enabled: bool) -> str:
    if not installed:
        return "not installed"
    return "enabled" if enabled else "disabled"
