"""Bringing files here: threads that share connections, a watching one that counts and decides."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping

from downloader.library.errors import StoreFailed
from downloader.library.http import Client
from downloader.library.remote import RemoteFile
from downloader.library.transfer import reading, small
from downloader.library.transfer.agenda import Agenda
from downloader.library.transfer.answers import Busy
from downloader.library.transfer.blocks import Blocks
from downloader.library.transfer.download import Download, Hooks
from downloader.library.transfer.options import Fetched, Target, TransferOptions
from downloader.library.transfer.pace import Bucket, Governor
from downloader.library.transfer.routes import Locate
from downloader.library.transfer.segments import Claim
from downloader.library.transfer.small import Small
from downloader.library.watch import Control, FileProgress, FileState, Observer

Wanted = Mapping[str, tuple[RemoteFile, Target]]
Done = Callable[[str, Fetched], None]

_LOOK_S = 0.05
_TELL_S = 0.1
_NAP_S = 0.2
_LAST_WORD_S = 2.0  # for threads to leave; only a name look-up can take longer


class Leave(Exception):
    """The transfer is over: a thread's way out."""


class Engine:
    """May be used by several threads; a bandwidth cap holds for all of them together, and for all
    engines that are given the same bucket."""

    def __init__(
        self,
        client: Client,
        options: TransferOptions | None = None,
        bucket: Bucket | None = None,
    ) -> None:
        self.client = client
        self.options = options or TransferOptions()
        self.bucket = bucket or Bucket(self.options.max_rate)

    def fetch(
        self,
        wanted: Wanted,
        locate: Locate,
        control: Control,
        observer: Observer,
        done: Done | None = None,
    ) -> dict[str, Fetched]:
        """All files of `wanted`, by path, complete and hashed; or the first error, with what was
        fetched kept for the next time.

        `done` is called as each file is complete, in a thread of the transfer, several at a time.
        """
        return _Run(self, wanted, locate, control, observer, done).to_the_end()


class _Run:
    """One call of `fetch`."""

    def __init__(
        self,
        engine: Engine,
        wanted: Wanted,
        locate: Locate,
        control: Control,
        observer: Observer,
        done: Done | None,
    ) -> None:
        self.client = engine.client
        self.options = engine.options
        self.observer = observer
        self.bucket = engine.bucket
        self.blocks = Blocks(self.options.block_bytes)
        self._control = control
        self._done = done
        self._wanted = wanted
        self._results: dict[str, Fetched] = {}
        self._failure: BaseException | None = None
        self._over = False
        self._threads: list[threading.Thread] = []
        self._finished = threading.Condition()
        self._received_before = 0
        self._governor = Governor(
            self.options.first_connections, self.options.connections, self.now()
        )
        self._agenda = self._plan(locate)

    def _plan(self, locate: Locate) -> Agenda:
        little, large = [], []
        for path, (file, target) in sorted(self._wanted.items(), key=_by_size):
            if file.size is not None and file.size <= self.options.piece_bytes:
                little.append(Small(path, file, target, locate))
            else:
                large.append(Download(path, file, target, locate, self.options, self.observer))
        self._first_threads = min(len(little), self.options.files)
        self._first_threads += self._governor.allowed * bool(large)
        return Agenda(
            little,
            large,
            most_files=self.options.files,
            segment_bytes=self.options.segment_bytes,
            governor=self._governor,
            clock=self.now,
        )

    # The watching thread

    def to_the_end(self) -> dict[str, Fetched]:
        self._control.check()
        for path, (file, _) in self._wanted.items():
            self.observer.file(FileProgress(path, FileState.PENDING, 0, file.size, 0))
        try:
            self._hire(self._first_threads)
            self._watch()
        finally:
            self._end()
        self._control.check()
        if self._failure is not None:
            raise self._failure
        return self._results

    def _watch(self) -> None:
        told = 0.0
        while not self._is_over():
            with self._finished:
                self._finished.wait(_LOOK_S)
            if self._control.canceled:
                return
            self._govern()
            if self.now() - told >= _TELL_S:
                told = self.now()
                self._tell()

    def _is_over(self) -> bool:
        return self._failure is not None or len(self._results) == len(self._wanted)

    def _govern(self) -> None:
        downloads = list(self._agenda.open)
        if not self._agenda.fetching:
            return
        received = self._received_before + sum(download.received for download in downloads)
        if self._governor.sample(self.now(), received, _cpu_share()):
            self._hire(self._governor.allowed + self._agenda.small_now)
            self._agenda.wake()

    def _tell(self) -> None:
        for download in list(self._agenda.open):
            self.observer.file(
                FileProgress(
                    download.path,
                    FileState.DOWNLOADING,
                    download.have,
                    download.segments.size,
                    download.received,
                )
            )

    def _hire(self, count: int) -> None:
        while len(self._threads) < count:
            thread = threading.Thread(target=self._work, name="transfer", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _end(self) -> None:
        """Nobody of ours writes any more when this returns, a thread that still waits for a name
        look-up excepted: that one leaves as soon as it has its answer."""
        self._over = True
        self._agenda.end()
        for download in list(self._agenda.open):
            download.shut()
        until = self.now() + _LAST_WORD_S
        for thread in self._threads:
            thread.join(max(0.0, until - self.now()))

    # The fetching threads

    def _work(self) -> None:
        self._guarded(self._work_on)

    def _work_on(self) -> None:
        while (task := self._agenda.next()) is not None:
            try:
                self._do(task)
            finally:
                self._agenda.done(task)

    def _do(self, task: Small | Download | tuple[Download, Claim]) -> None:
        if isinstance(task, Small):
            self._announce(task.path, FileState.DOWNLOADING, 0, task.file.size, 0)
            self._complete(task.path, small.fetch(self, task))
        elif isinstance(task, Download):
            task.begin(
                Hooks(
                    spawn=self._follow,
                    wake=self._agenda.wake,
                    finished=lambda fetched: self._large_complete(task, fetched),
                )
            )
        else:
            reading.fetch_claim(self, *task)

    def _follow(self, body: Callable[[], None]) -> None:
        thread = threading.Thread(
            target=self._guarded, args=[body], name="transfer-hash", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _guarded(self, body: Callable[[], None]) -> None:
        try:
            body()
        except Leave:
            pass
        except OSError as error:
            why = error.strerror or type(error).__name__
            self._fail(StoreFailed(f"The system refused: {why}. What was fetched is kept."))
        except BaseException as error:  # noqa: BLE001 (raised again by the watching thread)
            self._fail(error)

    def _large_complete(self, download: Download, fetched: Fetched) -> None:
        self._received_before += fetched.received
        self._agenda.finished(download)
        download.shut()
        self._complete(download.path, fetched)

    def _complete(self, path: str, fetched: Fetched) -> None:
        size = fetched.computed.size
        if self._done is not None and not self._over:
            self._done(path, fetched)
        self._announce(path, FileState.DONE, size, size, fetched.received)
        with self._finished:
            self._results[path] = fetched
            self._finished.notify()

    def _announce(self, path: str, state: FileState, done: int, size: int | None, got: int) -> None:
        self.observer.file(FileProgress(path, state, done, size, got))

    def _fail(self, error: BaseException) -> None:
        with self._finished:
            if self._failure is None:
                self._failure = error
            self._finished.notify()

    # What the threads are lent

    def now(self) -> float:
        return time.monotonic()

    def tick(self) -> None:
        while self._control.paused and not self._control.canceled and not self._over:
            time.sleep(_NAP_S)
        if self._over or self._control.canceled or self._failure is not None:
            raise Leave

    def sleep(self, seconds: float) -> None:
        until = self.now() + seconds
        self.tick()
        while (left := until - self.now()) > 0:
            time.sleep(min(left, _NAP_S))
            self.tick()

    def first_byte_after(self, seconds: float) -> None:
        self._governor.first_byte_after(seconds)

    def hold_off(self, busy: Busy, wait_s: float) -> None:
        code = "throttled" if busy.status == 429 else "retry"
        self.observer.say(code, f"{busy}; waiting {wait_s:.1f} s.", wait_s=round(wait_s, 2))
        if busy.status == 429:
            self._governor.back_off(self.now())


def _by_size(item: tuple[str, tuple[RemoteFile, Target]]) -> tuple[int, str]:
    path, (file, _) = item
    return (1 << 62 if file.size is None else file.size), path


def _cpu_share() -> float:
    """Processor seconds of this process so far, over the processors it may use."""
    processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    return time.process_time() / (processors or 1)
