"""What the housekeeping of the service does here."""

from __future__ import annotations

from typing import Any

from downloader import configured, logfiles


def collect() -> dict[str, Any]:
    """Remove what no model needs and nobody has touched for a day, and logs of long ago: for
    HOUSEKEEPING. An operator looks first with `manage.py model_collect --dry-run`."""
    store = configured.store()
    collected = store.collect()
    logs = logfiles.tidy(store.root)
    return {"blobs": len(collected.blobs), "freed_bytes": collected.freed_bytes, "logs": logs}
