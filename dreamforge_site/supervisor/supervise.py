"""The loop: start what is due, pass on what is said, restart what crashed, stop all of it.

One thread does everything, because the kernel ties a child's life to the thread that made it. It
never waits on a child, on the terminal or on the network, only on the selector.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Iterable, Mapping
from types import FrameType

import structlog

from dreamforge_site.supervisor import descendants
from dreamforge_site.supervisor.children import Child, Pipe, Program
from dreamforge_site.supervisor.lines import Style
from dreamforge_site.supervisor.output import Output

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_S = 10.0
# After KILL only a process stuck in the kernel can be left, and nobody can help that one.
LAST_WAIT_S = 5.0
KILL_WAIT_S = 0.05
IDLE_WAIT_S = 5.0

log = structlog.get_logger("dreamforge")


class Supervisor:
    def __init__(
        self,
        programs: Iterable[Program],
        environment: Mapping[str, str],
        output: Output,
        style: Style,
    ) -> None:
        self.children = [Child(program) for program in programs]
        self._environment = environment
        self._output = output
        self._style = style
        self._selector = selectors.DefaultSelector()
        self._received: list[int] = []
        self._stop_signal = 0
        self._deadline = 0.0
        self._killed = False

    def run(self) -> int:
        """Supervise until a stop signal; the signal that ended it."""
        wakeup = self._watch_signals()
        while not self._finished():
            self._start_due()
            self._wait()
            self._obey()
            self._reap()
            self._enforce_deadline()
        self._drain()
        wakeup.close()
        return self._stop_signal

    def _watch_signals(self) -> socket.socket:
        """Signals wake the selector; the handlers only note them."""
        reading, writing = socket.socketpair()
        for end in (reading, writing):
            end.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._note)
        self._writing = writing
        return reading

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received.append(number)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self.children:
            due = child.start_due_at is not None and child.start_due_at <= now
            if due and not self._stop_signal:
                self._start(child)

    def _start(self, child: Child) -> None:
        try:
            pipe = child.start(self._environment)
        except OSError as error:  # no process or memory to be had just now
            child.start_due_at = time.monotonic() + child.backoff.delay_s
            log.warning("child_not_started", child=child.name, reason=error.strerror)
            return
        self._selector.register(pipe, selectors.EVENT_READ)
        log.info("child_started", child=child.name, pid=child.pid)

    def _wait(self) -> None:
        for key, _ in self._selector.select(self._timeout_s()):
            if isinstance(key.fileobj, Pipe):
                self._pass_on(key.fileobj)
            elif isinstance(key.fileobj, socket.socket):
                key.fileobj.recv(4096)

    def _timeout_s(self) -> float:
        moments = [child.start_due_at for child in self.children if child.start_due_at is not None]
        if self._killed:
            return KILL_WAIT_S
        if self._stop_signal:
            moments = [self._deadline]
        soonest = min(moments, default=time.monotonic() + IDLE_WAIT_S)
        return min(max(soonest - time.monotonic(), 0.0), IDLE_WAIT_S)

    def _pass_on(self, pipe: Pipe) -> None:
        lines, open_still = pipe.read()
        for line in lines:
            self._output.write(self._style.render(pipe.name, line))
        if not open_still:
            self._selector.unregister(pipe)
            pipe.close()

    def _obey(self) -> None:
        received, self._received = self._received, []
        for number in received:
            if not self._stop_signal:
                self._begin_stop(number)
            else:
                self._kill_all()

    def _begin_stop(self, number: int) -> None:
        self._stop_signal = number
        self._deadline = time.monotonic() + GRACE_S
        log.info("stopping", signal=signal.Signals(number).name)
        for child in self.children:
            child.start_due_at = None
            child.signal(signal.SIGTERM)

    def _reap(self) -> None:
        for pid, status in _ended_processes():
            for child in self.children:
                if child.pid == pid:
                    self._lost(child, pid, status)

    def _lost(self, child: Child, pid: int, status: int) -> None:
        reason = child.ended(status)
        descendants.signal_group(pid, signal.SIGKILL)
        self._kill_strays()
        if self._stop_signal:
            child.start_due_at = None
            log.info("child_stopped", child=child.name, reason=reason)
            return
        delay_s = child.backoff.delay_s
        log.warning("child_died", child=child.name, pid=pid, reason=reason, restart_in_s=delay_s)

    def _kill_strays(self) -> None:
        descendants.kill(descendants.strays(self._living()))

    def _living(self) -> set[int]:
        return {child.pid for child in self.children if child.pid is not None}

    def _enforce_deadline(self) -> None:
        if not self._stop_signal or self._killed:
            return
        if not self._living() or time.monotonic() >= self._deadline:
            self._kill_all()

    def _kill_all(self) -> None:
        self._killed = True
        self._deadline = time.monotonic() + LAST_WAIT_S
        for child in self.children:
            child.signal(signal.SIGKILL)

    def _finished(self) -> bool:
        """All are gone, or what is left does not even obey KILL."""
        if not self._killed:
            return False
        remaining = descendants.below(os.getpid())
        descendants.kill(remaining)
        return not remaining or time.monotonic() >= self._deadline

    def _drain(self) -> None:
        """The children's last words."""
        signal.set_wakeup_fd(-1)
        self._writing.close()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, Pipe):
                self._pass_on(key.fileobj)
        self._selector.close()


def _ended_processes() -> list[tuple[int, int]]:
    """Everybody who can be reaped: children, and the orphans that came to us."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))
