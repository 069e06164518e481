"""One device and the child that draws on it, kept warm between jobs of one model.

A child is reused only for the model and the settings it has loaded, and only after it did what it
was asked. After a failure, a timeout or a deaf cancel it is ended, because only the end of a
process gives a device back for certain.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from runners import devices
from runners.errors import RunnerError
from runners.protocol import (
    Cancel,
    Canceled,
    Done,
    Draw,
    EngineSettings,
    Failed,
    Hello,
    ItemDone,
    ItemStarted,
    Load,
    Loaded,
    ModelFiles,
    ToParent,
)
from runners.supervision.child import Child, Gone
from runners.supervision.limits import Limits
from runners.supervision.listening import Listener

TICK_S = 0.2
MOST_REQUESTS = 500  # then a fresh child: what leaks in it must not grow for ever
M = TypeVar("M")


@dataclass(frozen=True)
class Warm:
    """What a child has in memory."""

    sha256: str
    settings: EngineSettings


class Keeper:
    """`draw` is called by one thread at a time; `close` by any."""

    def __init__(
        self,
        engine: str,
        device: str,
        keep_alive_s: float,
        environ: Mapping[str, str] | None = None,
        idle: Listener | None = None,
    ) -> None:
        """`idle` is told of the memory that comes back when a child that nobody needed ends."""
        self.engine = engine
        self.device = device
        self._keep_alive_s = keep_alive_s
        self._environ = dict(environ or {})
        self._idle = idle or Listener()
        self._busy = threading.Lock()
        self._child: Child | None = None
        self._warm: Warm | None = None
        self._requests = 0
        self._peak = 0
        self._before: int | None = None
        self._idle_since = time.monotonic()
        self._closed = threading.Event()
        threading.Thread(target=self._end_idle, name=f"idle {device}", daemon=True).start()

    @property
    def warm_model(self) -> str | None:
        """The digest of the model that a job would not have to load."""
        warm = self._warm
        return warm.sha256 if warm else None

    @property
    def child_pid(self) -> int | None:
        child = self._child
        return child.pid if child else None

    def draw(
        self,
        model: ModelFiles,
        settings: EngineSettings,
        request: Draw,
        limits: Limits,
        listener: Listener,
        stop: threading.Event,
    ) -> None:
        """Every item of `request`, told to `listener` as it happens. RunnerError: it failed; what
        was announced as done stays. `stop` cancels: RunnerError with the code `canceled`."""
        with self._busy:
            talk = _Talk(limits, listener, stop)
            try:
                child = self._ready(model, settings, talk)
                child.send(request)
                talk.until_done(child, request)
                self._requests += 1
            except Gone as gone:
                self._end_child(limits, listener, violently=True)
                raise gone.why from None
            except BaseException:
                if not talk.answered_cancel:
                    self._end_child(limits, listener, violently=True)
                raise
            finally:
                self._peak = max(self._peak, talk.peak)
                self._idle_since = time.monotonic()
            if self._keep_alive_s <= 0 or self._requests >= MOST_REQUESTS:
                self._end_child(limits, listener)
            else:
                listener.device_memory(self._before, None, talk.peak)

    def close(self) -> None:
        """End the child, whatever it does."""
        self._closed.set()
        child = self._child
        if child is not None:
            child.kill()

    def _ready(self, model: ModelFiles, settings: EngineSettings, talk: _Talk) -> Child:
        """A child with this model in memory."""
        wanted = Warm(model.sha256, settings)
        if self._child is not None and (self._warm != wanted or not self._child.alive):
            self._end_child(talk.limits, talk.listener)
        if self._child is None:
            self._before = devices.used_bytes(self.device)
            self._child = Child(self.engine, self.device, self._environ)
            self._requests, self._peak = 0, 0
            talk.until(self._child, Hello, talk.limits.start_s, "start")
            self._child.send(Load(model, settings))
            talk.until(self._child, Loaded, talk.limits.load_s, "load the model")
            self._warm = wanted
        return self._child

    def _end_child(self, limits: Limits, listener: Listener, *, violently: bool = False) -> None:
        child, self._child, self._warm = self._child, None, None
        if child is None:
            return
        if violently:
            child.kill()
        else:
            child.end(limits.end_s)
        listener.device_memory(self._before, devices.used_bytes(self.device), self._peak)

    def _end_idle(self) -> None:
        while not self._closed.wait(min(1.0, max(0.05, self._keep_alive_s / 4))):
            idle_s = time.monotonic() - self._idle_since
            if self._child is None or idle_s < self._keep_alive_s:
                continue
            if self._busy.acquire(blocking=False):
                try:
                    self._end_child(Limits(), self._idle)
                finally:
                    self._busy.release()


class _Talk:
    """One request's conversation: deadlines, cancel, and who listens."""

    def __init__(self, limits: Limits, listener: Listener, stop: threading.Event) -> None:
        self.limits = limits
        self.listener = listener
        self.stop = stop
        self.peak = 0
        self.answered_cancel = False

    def until(self, child: Child, kind: type[M], within_s: float, what: str) -> M:
        """The first message of `kind`; Failed and the deadline are raised."""
        deadline = time.monotonic() + within_s
        while True:
            said = self._next(child, deadline, f"The runner did not {what} in {within_s:g} s.")
            if isinstance(said, kind):
                return said

    def until_done(self, child: Child, request: Draw) -> None:
        item_deadline = time.monotonic() + self.limits.item_s
        cancel_deadline: float | None = None
        heard_at = time.monotonic()
        while True:
            if self.stop.is_set() and cancel_deadline is None:
                child.send(Cancel(request.id))
                cancel_deadline = time.monotonic() + self.limits.cancel_s
            deadline, why = self._nearest(item_deadline, heard_at, cancel_deadline)
            said = self._next(child, deadline, why, waits=True)
            if said is None:
                continue
            heard_at = time.monotonic()
            if isinstance(said, ItemStarted | ItemDone):
                item_deadline = heard_at + self.limits.item_s
            if isinstance(said, Canceled):
                self.answered_cancel = True
                raise _canceled()
            if isinstance(said, Done):
                return

    def _nearest(
        self, item_deadline: float, heard_at: float, cancel_deadline: float | None
    ) -> tuple[float, str]:
        limits = self.limits
        candidates = [
            (item_deadline, f"An image took longer than {limits.item_s:g} s."),
            (heard_at + limits.silence_s, f"The runner was silent for {limits.silence_s:g} s."),
        ]
        if cancel_deadline is not None:
            candidates.append((cancel_deadline, ""))
        return min(candidates)

    def _next(
        self, child: Child, deadline: float, why: str, *, waits: bool = False
    ) -> ToParent | None:
        """The next message; None now and then, if the caller `waits` itself."""
        while True:
            said = child.receive(min(TICK_S, max(0.0, deadline - time.monotonic())))
            self.listener.tick()
            if said is not None:
                self._told(said)
                return said
            if time.monotonic() >= deadline:
                raise (
                    RunnerError("timeout", why, reason="deadline", detail=child.stderr)
                    if (why)
                    else _canceled()
                )
            if waits:
                return None
            if self.stop.is_set():
                raise _canceled()

    def _told(self, said: ToParent) -> None:
        if isinstance(said, Loaded | ItemDone | Done):
            self.peak = max(self.peak, said.memory.peak)
        if isinstance(said, Failed):
            raise RunnerError(said.code, said.message, reason=said.reason, detail=said.detail)
        self.listener.heard(said)


def _canceled() -> RunnerError:
    return RunnerError("canceled", "The job was canceled.")
