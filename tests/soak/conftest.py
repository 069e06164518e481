"""The engine's fixtures."""

from __future__ import annotations

from tests.jobs.conftest import service, trial_kinds

__all__ = ["service", "trial_kinds"]
