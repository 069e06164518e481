"""Why the service does not start."""

from __future__ import annotations


class StartError(Exception):
    """One line for the user: what is wrong and what to do."""
