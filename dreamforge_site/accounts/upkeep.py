"""What the hourly housekeeping does for accounts."""

from __future__ import annotations

from dreamforge_site.accounts import sign_ins, throttle


def purge() -> dict[str, int]:
    """Delete what has expired; running it twice, or two at once, is harmless."""
    return {"sign_ins": sign_ins.purge(), "attempt_windows": throttle.purge()}
