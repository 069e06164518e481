"""Does it work, end to end? One small job through database, broker, worker and stream."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, cast

from celery.exceptions import TimeoutError as NoAnswer
from django.db import DatabaseError, InterfaceError
from kombu.exceptions import OperationalError

from jobs import claims, submission, tasks
from jobs.models import Job
from jobs.states import TERMINAL, State
from jobs.watching import streams
from jobs.watching.exchange import Answer, Exchange

QUEUE = "io"
PARAMS = {"items": 2, "ticks": 3, "tick_ms": 50}
LOOK_EVERY_S = 0.1
EVENT = re.compile(rb"^id: (\d+)\nevent: (\w+)$", re.MULTILINE)
NO_WORKER = f"is a worker running? (manage.py worker --queue {QUEUE}, or manage.py dreamforge)"


class Broken(Exception):
    """What is wrong with a part, and what to do next."""


@dataclass(frozen=True)
class Finding:
    part: str
    ok: bool
    took_ms: int
    message: str


class Trial:
    """One job on its way; each part takes from the same time."""

    def __init__(self, timeout_s: float) -> None:
        self._give_up_at = time.monotonic() + timeout_s
        self._job = Job()

    def run(self) -> Iterator[Finding]:
        """A finding a part, in order. The parts behind a broken one are tried too, but for the
        stream: without a finished job it has nothing to tell."""
        for part, check in (("database", self._store), ("broker", self._echo)):
            yield _found(part, check)
        worked = _found("worker", self._work)
        yield worked
        if worked.ok:
            yield _found("stream", self._listen)

    def _store(self) -> str:
        self._job = submission.submit("selftest", PARAMS, None)
        if not Job.objects.filter(id=self._job.pk).exists():
            raise Broken("The job that was just stored cannot be read back.")
        return f"Stored job {self._job.pk}."

    def _echo(self) -> str:
        left_s = self._left_s
        sent = tasks.echo.apply_async(queue=QUEUE, retry=False, expires=left_s)
        try:
            sent.get(timeout=left_s / 2, interval=LOOK_EVERY_S)
        except NoAnswer:
            raise Broken(f"No worker answered a message: {NO_WORKER}") from None
        sent.forget()
        return "A worker heard a message and answered it."

    def _work(self) -> str:
        if self._job.last_seq == 0:
            raise Broken("There is no job to run: the database comes first.")
        while self._job.status not in TERMINAL:
            if self._left_s <= 0:
                raise Broken(self._why_nothing_ran())
            time.sleep(LOOK_EVERY_S)
            self._job.refresh_from_db()
        if self._job.status != State.SUCCEEDED:
            raise Broken(f"The job {self._job.status}: {self._job.error_message}")
        return f"The job succeeded in attempt {self._job.attempts}."

    def _why_nothing_ran(self) -> str:
        """Also takes the job back: it must not run when nobody waits for it any more."""
        submission.cancel(self._job)
        if claims.is_paused(QUEUE):
            return f"The queue {QUEUE} is paused: manage.py queue_resume {QUEUE}"
        return f"The job is {self._job.status} and was taken back: {NO_WORKER}"

    def _listen(self) -> str:
        heard = EVENT.findall(asyncio.run(_stream_of(self._job, max(5.0, self._left_s))))
        ids = [int(number) for number, _ in heard]
        told = {name.decode() for _, name in heard}
        # Of several progress events in a row the stream may tell only the last.
        if ids != sorted(set(ids)) or ids[-1:] != [self._job.last_seq + 1]:
            raise Broken(f"The stream told events {ids} of a job with {self._job.last_seq}.")
        if not {"log", "progress", "end"} <= told:
            raise Broken(f"The stream told only {', '.join(sorted(told))}.")
        return f"The stream told {len(ids)} events and ended."

    @property
    def _left_s(self) -> float:
        return max(0.0, self._give_up_at - time.monotonic())


class Ear:
    """A client of the stream, in memory."""

    closing = False

    def __init__(self) -> None:
        self.heard = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.heard += message.get("body", b"")

    async def over(self) -> None:
        await asyncio.Event().wait()

    def told(self, events: int) -> None:
        """Nobody counts these."""


@dataclass
class Opening:
    """The answer that a view would have begun the stream with."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None = None


async def _stream_of(job: Job, timeout_s: float) -> bytes:
    ear, ticket = Ear(), {"job_id": str(job.pk), "after": 0}
    opening: Answer = Opening(200, [])
    try:
        async with asyncio.timeout(timeout_s):
            # It asks for no second answer, which is all that this ear lacks.
            await streams.serve(ticket, opening, cast(Exchange, ear))
    except TimeoutError:
        raise Broken("The stream did not end with its job.") from None
    return ear.heard


def _found(part: str, check: Callable[[], str]) -> Finding:
    started = time.monotonic()
    try:
        ok, message = True, check()
    except Broken as broken:
        ok, message = False, str(broken)
    except (DatabaseError, InterfaceError) as error:
        ok, message = False, f"The database cannot be used ({type(error).__name__}): {error}"
    except (OperationalError, OSError) as error:
        ok, message = (
            False,
            f"The broker cannot be reached ({type(error).__name__}); jobs still run",
        )
    return Finding(part, ok, round((time.monotonic() - started) * 1000), message)
