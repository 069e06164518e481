"""A worker's voice in a process of its own, over a site's database: told by lines on its input.

`start JOB`, `tell JOB COUNT`, `finish JOB`: each is answered with a line once it is committed.
"""

from __future__ import annotations

import os
import sys
import uuid

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")
django.setup()

from jobs import events, lifecycle  # noqa: E402  after the settings
from jobs.events import Note  # noqa: E402
from jobs.lifecycle import Lease  # noqa: E402


def obey(line: str, held: dict[str, Lease]) -> None:
    verb, job_id, *count = line.split()
    if verb == "start":
        lease = lifecycle.start(uuid.UUID(job_id), "the teller")
        assert lease is not None
        held[job_id] = lease
    elif verb == "tell":
        notes = [Note("tick", payload={"turn": turn}) for turn in range(int(count[0]))]
        assert events.append_as_holder(held[job_id].job_id, held[job_id].claim, notes)
    else:
        assert lifecycle.succeed(held[job_id])


if __name__ == "__main__":
    leases: dict[str, Lease] = {}
    for line in sys.stdin:
        obey(line, leases)
        sys.stdout.write("done\n")
        sys.stdout.flush()
