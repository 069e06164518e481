"""`python -m tests.jobs.crowd claim|write|kill`: many processes at one database, each forked from
this one, so that none costs the start of an interpreter. Prints what they were told was done:
`stored ID`, `ended ID`.

claim: eight empty the queues, six `io` and two `gpu`. write: four write until each has stored so
many jobs. kill: four write until they are killed, round after round.
"""

from __future__ import annotations

import os
import random
import selectors
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import django

TYPES = ("trial", "gpu_trial")
CLAIMERS = ("io", "io", "io", "gpu", "io", "io", "io", "gpu")
WRITERS = 4
STORED_BY_EACH = 60
ROUNDS = 20
DICE = random.Random(8)

Work = Callable[[int], None]


class Fork:
    """A child that begins when it is told to; `lines` is what it says."""

    def __init__(self, work: Work, number: int) -> None:
        begin, self._begin = os.pipe()
        self.lines, say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(say, sys.stdout.fileno())
            os.read(begin, 1)
            work(number)
            os._exit(0)
        os.close(begin)
        os.close(say)

    def begin(self) -> None:
        os.write(self._begin, b".")
        os.close(self._begin)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def status(self) -> int:
        os.close(self.lines)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def run(work: Work, count: int, kill_after_lines: int | None = None) -> list[int]:
    """Let `count` forks work, pass on what they say; how they ended. All are killed once they have
    said so much, and what they say until they are dead counts too."""
    forks = [Fork(work, number) for number in range(count)]
    said = 0
    with selectors.DefaultSelector() as speaking:
        for fork in forks:
            speaking.register(fork.lines, selectors.EVENT_READ)
            fork.begin()
        while speaking.get_map():
            for key, _ in speaking.select():
                heard = os.read(key.fd, 65536)
                said += heard.count(b"\n")
                sys.stdout.buffer.write(heard)
                if not heard:
                    speaking.unregister(key.fd)
            if kill_after_lines is not None and said >= kill_after_lines:
                for fork in forks:
                    fork.kill()
    return [fork.status() for fork in forks]


def say(word: str, job_id: object) -> None:
    os.write(sys.stdout.fileno(), f"{word} {job_id}\n".encode())


def empty_the_queue(number: int) -> None:
    from jobs import claims, lifecycle

    while lease := claims.next_lease(CLAIMERS[number], f"claimer-{number}", TYPES):
        assert lifecycle.succeed(lease)
        say("ended", lease.job_id)


def write(_number: int, jobs: int = sys.maxsize) -> None:
    from jobs import claims, lifecycle, submission

    for _ in range(jobs):
        say("stored", submission.submit("trial", {}, None).id)
        lease = claims.next_lease("io", "writer", TYPES)
        if lease and lifecycle.succeed(lease):
            say("ended", lease.job_id)


def write_some(number: int) -> None:
    write(number, STORED_BY_EACH)


def main(what: str) -> list[int]:
    if what == "claim":
        return run(empty_the_queue, len(CLAIMERS))
    if what == "write":
        return run(write_some, WRITERS)
    return [
        status
        for _ in range(ROUNDS)
        for status in run(write, WRITERS, kill_after_lines=DICE.randint(4, 30))
    ]


if __name__ == "__main__":
    django.setup()
    from jobs import claims, kinds, submission  # noqa: F401  once, for all forks

    kinds.table()
    ended = main(sys.argv[1])
    sys.stdout.buffer.flush()
    expected = -signal.SIGKILL if sys.argv[1] == "kill" else 0
    sys.exit(0 if set(ended) == {expected} else f"the forks ended with {ended}")
