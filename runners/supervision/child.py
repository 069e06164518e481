"""One child process: started, spoken to, and gone for certain."""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

from runners import protocol
from runners.errors import ProtocolError, RunnerError
from runners.protocol import Bye, ToChild, ToParent
from runners.supervision import exits

ROOT = Path(__file__).resolve().parent.parent.parent
STDERR_KEPT = 65_536
LAST_WORDS_S = 1.0
WRITE_WITHIN_S = 10.0
# Nothing the child does may reach a network, and nothing of ours is its business.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
}
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
INHERITED_PREFIXES = ("CUDA_", "NVIDIA_", "TORCH", "OMP_", "MKL_", "DREAMFORGE_")

# A child dies with the thread that started it (PR_SET_PDEATHSIG counts threads, not processes), so
# all of them are started by one thread that lives as long as this process.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runner-starter")


class Gone(Exception):
    """The child is no more; the reason is in `why`."""

    def __init__(self, why: RunnerError) -> None:
        super().__init__(why.message)
        self.why = why


class Child:
    """Used by one thread at a time; `kill` may be called from any."""

    def __init__(self, engine: str, device: str, environ: Mapping[str, str] | None = None) -> None:
        self._oom_kills_before = exits.host_oom_kills()
        self._inbox: queue.SimpleQueue[ToParent | ProtocolError | None] = queue.SimpleQueue()
        self._stderr = bytearray()
        self._sending = threading.Lock()
        ours, theirs = os.pipe()
        try:
            self.process = _starter.submit(_start, engine, device, theirs, environ or {}).result()
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        assert self.process.stdin is not None  # noqa: S101  it was asked for as a pipe
        self._stdin = self.process.stdin.fileno()
        os.set_blocking(self._stdin, False)
        self._threads = [
            threading.Thread(target=self._read_messages, args=(ours,), daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stderr(self) -> str:
        return bytes(self._stderr).decode("utf-8", "replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, message: ToChild) -> None:
        """Gone: nobody reads any more."""
        line = protocol.encode(message)
        try:
            with self._sending:
                _write(self._stdin, line)
        except (OSError, ValueError):
            self.kill()
            raise Gone(self._buried()) from None

    def receive(self, timeout_s: float) -> ToParent | None:
        """The next message, or None when none came in time. Gone: none will come."""
        try:
            said = self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            if not self.alive and self._inbox.empty():
                raise Gone(self._buried()) from None
            return None
        if said is None:
            raise Gone(self._buried())
        if isinstance(said, ProtocolError):
            self.kill()
            raise Gone(said)
        return said

    def end(self, grace_s: float) -> None:
        """Ask it to go, then make it go. Returns when it and all its descendants are gone."""
        with suppress(Gone):
            self.send(Bye())
        if not self._waited(grace_s):
            self._signal(signal.SIGTERM)
            self._waited(grace_s)
        self.kill()

    def kill(self) -> None:
        """At once, with the whole process group; its memory is free when this returns."""
        self._signal(signal.SIGKILL)
        self.process.wait()
        with suppress(OSError):
            assert self.process.stdin is not None  # noqa: S101
            self.process.stdin.close()

    def _waited(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        # The group outlives its leader while a grandchild lives.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _buried(self) -> RunnerError:
        """Make sure it is gone, and say why it went. A child that closed its side and lives on has
        broken the protocol, which is also an end."""
        self._waited(LAST_WORDS_S)
        returncode = self.process.poll()
        self.kill()
        self._threads[1].join(LAST_WORDS_S)
        if returncode is None:
            return RunnerError(
                "provider_error",
                "The runner closed its line and lived on.",
                reason="protocol",
                detail=self.stderr,
            )
        kills = exits.host_oom_kills() - self._oom_kills_before
        return exits.classify(returncode, oom_kills=kills, stderr=self.stderr)

    def _read_messages(self, source: int) -> None:
        with open(source, "rb") as lines:
            while line := lines.readline(protocol.LONGEST_LINE + 1):
                try:
                    self._inbox.put(protocol.read_as_parent(line))
                except ProtocolError as error:
                    self._inbox.put(error)
                    return
        self._inbox.put(None)

    def _read_stderr(self) -> None:
        stderr: IO[bytes] | None = self.process.stderr
        assert stderr is not None  # noqa: S101
        with stderr:
            while piece := os.read(stderr.fileno(), 65_536):
                self._stderr += piece
                del self._stderr[:-STDERR_KEPT]


def _write(fd: int, data: bytes) -> None:
    """All of `data`, to a reader that may be slow but not deaf."""
    left = memoryview(data)
    while left:
        _, ready, _ = select.select((), (fd,), (), WRITE_WITHIN_S)
        if not ready:
            raise TimeoutError("nobody reads")
        left = left[os.write(fd, left) :]


def _start(
    engine: str, device: str, fd: int, environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "runners", "--engine", engine, "--device", device]
    words += ["--fd", str(fd), "--parent", str(os.getpid())]
    return subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(fd,),
        start_new_session=True,
        cwd=ROOT,
        env={**_inherited(), **OFFLINE, **environ},
    )


def _inherited() -> dict[str, str]:
    """What the child may know of our environment: no token, no database, no secret."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
