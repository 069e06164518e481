"""The worker's part: jobs that say something `rate` times a second, through the engine itself.

Reads one JSON line (job ids, rate, seconds). Each event carries the time it was said at, on the
clock that all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")
django.setup()

from jobs import events, lifecycle  # noqa: E402  after the settings
from jobs.events import Note  # noqa: E402
from jobs.lifecycle import Lease  # noqa: E402


def tell(leases: list[Lease], rate: float, seconds: float) -> None:
    begun = time.monotonic()
    for turn in range(round(rate * seconds)):
        time.sleep(max(0.0, begun + turn / rate - time.monotonic()))
        for lease in leases:
            note = Note("bench.tick", payload={"sent_ns": time.monotonic_ns()})
            assert events.append_as_holder(lease.job_id, lease.claim, [note])


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    leases = [lifecycle.start(uuid.UUID(job_id), "benchmark") for job_id in wanted["jobs"]]
    held = [lease for lease in leases if lease is not None]
    assert len(held) == len(leases)
    tell(held, wanted["rate"], wanted["seconds"])
    for lease in held:
        assert lifecycle.succeed(lease)


if __name__ == "__main__":
    main()
