"""What the housekeeping of the service does here."""

from __future__ import annotations

from typing import Any

from downloader import configured


def collect() -> dict[str, Any]:
    """Remove what no model needs and nobody has touched for a day: for HOUSEKEEPING. An operator
    looks first with `manage.py model_collect --dry-run`."""
    collected = configured.store().collect()
    return {"blobs": len(collected.blobs), "freed_bytes": collected.freed_bytes}
