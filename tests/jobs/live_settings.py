"""Settings of the processes that scenario tests start: the product's, with job types that misbehave
on request and a shorter lease, so that a lost worker is noticed within a test."""

from __future__ import annotations

import os

from dreamforge_site.settings import *  # noqa: F403
from dreamforge_site.settings import CELERY_BROKER_TRANSPORT_OPTIONS, JOB_TYPES

TRIALS = [f"tests.jobs.kinds.{name}" for name in ("TRIAL", "GPU_TRIAL", "HASTY")]
JOB_TYPES = [*JOB_TYPES, *TRIALS]
JOB_TYPES += [path for path in os.environ.get("DREAMFORGE_TEST_JOB_TYPES", "").split(",") if path]
JOB_LEASE_S = float(os.environ.get("DREAMFORGE_TEST_LEASE_S", "3"))

if "DREAMFORGE_TEST_VISIBILITY_S" in os.environ:
    CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] = int(
        os.environ["DREAMFORGE_TEST_VISIBILITY_S"]
    )
