"""A server of the tests as a process: started, broken on purpose, repaired, cleaned up."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

from tests.services import found

READY_WITHIN_S = 60
STOP_WITHIN_S = 15
POLL_S = 0.03
LOG_TAIL_CHARS = 4000


# Below the ports that the kernel gives to outgoing connections, which could take one that is
# promised here; test processes that run side by side begin at places of their own.
PORTS = range(10_000, 32_000)
_ports = itertools.count(os.getpid() * 61)


def free_port() -> int:
    """A port nobody listens on, that this process was not given before."""
    while True:
        port = PORTS[next(_ports) % len(PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ServerProcess(ABC):
    """A server, its folder and its port; the port and the data outlive a restart."""

    name: str
    stop_signal = signal.SIGTERM
    user: str | None = None  # who runs it, where only root could choose

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"dreamforge-{self.name}-"))
        if self.user:
            shutil.chown(self.folder, self.user)
        self.log_path = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server serves: asked again and again after a start."""

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        command = self.command()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._dies_with_the_run(), *command],
                env=found.environment(Path(command[0])),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Stop it if it runs and remove its folder; harmless when called again."""
        self.interrupt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def interrupt(self) -> None:
        """A clean stop that keeps the data, for a later `start`."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            process.send_signal(self.stop_signal)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def restart(self) -> None:
        self.interrupt()
        self.start()

    def kill(self) -> None:
        """SIGKILL to the server and its children, as a power cut would."""
        process = self._running()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._process = None

    def pause(self) -> None:
        """Make it hang: connections are accepted by the kernel, nobody answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")[-LOG_TAIL_CHARS:]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process

    def _wait_until_it_answers(self) -> None:
        process = self._running()
        deadline = time.monotonic() + READY_WITHIN_S
        while not self.answers():
            if process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not answer:\n{self.log()}")
            time.sleep(POLL_S)

    def _dies_with_the_run(self) -> list[str]:
        """Even a killed test run leaves no server behind (setpriv is in every Debian)."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            return []
        wrapper = [setpriv, f"--pdeathsig={self.stop_signal.name.removeprefix('SIG')}"]
        if self.user:
            group = pwd.getpwnam(self.user).pw_gid
            wrapper += [f"--reuid={self.user}", f"--regid={group}", "--clear-groups"]
        return [*wrapper, "--"]
