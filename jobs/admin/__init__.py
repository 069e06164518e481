"""Jobs, queues and workers in the admin: everything to look at, little to press, nothing to edit.

What may be pressed goes through the same calls as the API and is written to the admin's log.
"""

from __future__ import annotations

from jobs.admin import jobs, queues, results
from jobs.webhooks import admin as webhooks

__all__ = ["jobs", "queues", "results", "webhooks"]
