"""One large file on its way: its part, ledger, segments and front, and how it starts again.

    probing ──206──► ranges        many connections, each with a claim
       └──────200──► single        one connection, from the first byte to the last

A restart (the file changed upstream, the server lies, the digest is wrong) waits until every thread
has left; whoever leaves last empties the part. So bytes of two versions never meet in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum

from blake3 import blake3

from downloader.library.checksums import Computed, Hashing, Trust, judge
from downloader.library.remote import RemoteFile
from downloader.library.transfer.answers import Given, Validator
from downloader.library.transfer.blocks import Block
from downloader.library.transfer.front import Front
from downloader.library.transfer.ledger import Identity, Ledger, Recorded
from downloader.library.transfer.options import Fetched, Target, TransferOptions
from downloader.library.transfer.part import Part
from downloader.library.transfer.restarts import Restart, Starts, Trouble
from downloader.library.transfer.routes import Locate, Routes
from downloader.library.transfer.segments import Claim, Segments
from downloader.library.watch import Observer


class Mode(Enum):
    PROBING = "probing"
    RANGES = "ranges"
    SINGLE = "single"


@dataclass(frozen=True)
class Hooks:
    """How a file reaches the transfer it belongs to. None is called with the file's lock held, but
    for `spawn`."""

    spawn: Callable[[Callable[[], None]], None]  # a thread
    wake: Callable[[], None]  # there may be something to do
    finished: Callable[[Fetched], None]


class Download:
    def __init__(
        self,
        path: str,
        file: RemoteFile,
        target: Target,
        locate: Locate,
        options: TransferOptions,
        observer: Observer,
    ) -> None:
        self.path = path
        self.file = file
        self.target = target
        self.routes = Routes(file, locate)
        self.proven = file.digest is not None and file.digest.strong
        self.changed = threading.Condition()
        self.segments = Segments(file.size, options.piece_bytes)
        self.mode = Mode.PROBING
        self.validator: Validator | None = None
        self.file_name: str | None = None
        self.have = 0  # bytes here
        self.received = 0  # bytes from the network
        self.furthest = 0
        self.single_trouble = Trouble(path, options.attempts, options.max_wait_s)
        self._options = options
        self._observer = observer
        self._starts = Starts(path)
        self._hooks: Hooks | None = None  # from `begin` on
        self._users = 0
        self._identified = False  # the ledger says which bytes these are
        self._mended = False  # in parts or in two runs: worth a second try when the digest is wrong
        self._restart: Restart | None = None
        self._finished = self._shut = False
        self._opened = ExitStack()

    # Begin

    def begin(self, hooks: Hooks) -> None:
        """Open what is there, believe what can be checked, and let the front follow."""
        self.part = Part(self.target.part)
        self._opened.callback(self.part.close)
        self.ledger = Ledger(self.target.ledger)
        self._opened.callback(self.ledger.close)
        recorded = self.ledger.load()
        if recorded is not None and recorded.identity.fits(self.file, self._options.piece_bytes):
            self._take_up(recorded)
        else:
            self.part.empty()
            recorded = None
        if self.segments.size is not None:
            self.part.reserve(self.segments.size)
        with self.changed:
            self._hooks = hooks
            self._follow(recorded)
        hooks.wake()

    def _take_up(self, recorded: Recorded) -> None:
        identity = recorded.identity
        self.segments = Segments(identity.size, identity.piece_bytes)
        self.have = self.segments.recorded(recorded.pieces)
        self.file_name = identity.file_name
        self.validator = identity.validator
        self._identified = self._mended = True
        self.mode = Mode.RANGES
        self._say("resume", f"{self.path}: {self.have} bytes are here.", bytes=self.have)

    def _follow(self, recorded: Recorded | None) -> None:
        """With the lock held."""
        digest = self.file.digest
        hashing = Hashing(self.segments.size, [digest.algorithm] if digest else [])
        self.front = Front(self, hashing, recorded.pieces if recorded else {})
        self._users += 1
        if self._hooks:
            self._hooks.spawn(self._hash)

    # For the threads that fetch

    def claim(self, most_bytes: int, now: float) -> Claim | None:
        """Something to fetch; `leave` when done with it."""
        with self.changed:
            if self.interrupted or self._finished or self._hooks is None:
                return None
            if self.mode is not Mode.RANGES and self.segments.claims:
                return None
            if self.segments.size is None:
                return self._entered(self.segments.claim_stream(now))
            return self._entered(self.segments.claim(most_bytes, now))

    def share(self, now: float) -> Claim | None:
        """Half of what the slowest connection has left, when that is worth it."""
        with self.changed:
            if self.interrupted or self.mode is not Mode.RANGES:
                return None
            slowest = self.segments.slowest(now)
            return self._entered(self.segments.split(slowest, now)) if slowest else None

    def _entered(self, claim: Claim | None) -> Claim | None:
        self._users += claim is not None
        return claim

    @property
    def interrupted(self) -> bool:
        """Threads shall leave now."""
        return self._restart is not None or self._shut

    @property
    def asks_for_ranges(self) -> bool:
        """Not before it is certain that two answers can be told apart."""
        return self.mode is not Mode.SINGLE and (self.proven or self.validator is not None)

    def settle(self, claim: Claim, given: Given, file_name: str | None) -> None:
        """A good answer; the first one says how this file can be fetched."""
        with self.changed:
            self.validator = self.validator or given.validator
            self.file_name = file_name or self.file_name
            if given.size is not None and self.segments.size is None:
                self.segments.learn_size(given.size, claim, self._options.segment_bytes)
                self.part.reserve(given.size)
            if self.mode is Mode.PROBING:
                self.mode = self._mode(given)
            if self.mode is Mode.SINGLE:
                self.segments.claim_all(claim)
            else:
                self._mended = True
            if not self._identified:
                self._identify()
            self.changed.notify_all()
        self._wake()

    def _mode(self, given: Given) -> Mode:
        tellable = self.proven or self.validator is not None
        offered = not given.whole or (given.ranges and not self.proven)
        return Mode.RANGES if tellable and offered else Mode.SINGLE

    def _identify(self) -> None:
        self.ledger.begin(
            Identity(
                size=self.segments.size,
                piece_bytes=self.segments.piece_bytes,
                digest=str(self.file.digest) if self.file.digest else None,
                etag=self.validator.etag if self.validator else None,
                origin=self.validator.origin if self.validator else None,
                file_name=self.file_name,
            )
        )
        self._identified = True

    def accept(self, claim: Claim, block: Block) -> None:
        """A block came, at `claim.at`. It ends with its piece at the latest."""
        view, at, segments = block.view, claim.at, self.segments
        if at % segments.piece_bytes == 0:
            claim.hasher = blake3()
        claim.hasher.update(view)
        self.front.offer(at, block)
        self.part.write(view, at)
        claim.at = end = at + len(view)
        ends_piece = end % segments.piece_bytes == 0 or end == segments.size
        if ends_piece:
            self.ledger.append(at // segments.piece_bytes, claim.hasher.digest())
        with self.changed:
            self.have += len(view)
            self.received += len(view)
            if ends_piece:
                segments.finish(at // segments.piece_bytes)
                self.changed.notify_all()

    def end_stream(self, claim: Claim) -> None:
        """A body of unknown length ended, as it should, at `claim.at`."""
        segments = self.segments
        index, begun = divmod(claim.at, segments.piece_bytes)
        with self.changed:
            segments.end_stream(claim)
            if begun:
                self.ledger.append(index, claim.hasher.digest())
                segments.finish(index)
            self.changed.notify_all()

    def leave(self, claim: Claim) -> None:
        with self.changed:
            self.have -= self.segments.give_back(claim)
        self._left()

    # The front

    def damaged(self, index: int) -> None:
        """A piece of an earlier run is not what it was."""
        with self.changed:
            self.have -= self.segments.damaged(index)
        self._say("retry", f"{self.path}: a damaged piece is fetched again.")
        self._wake()

    def _hash(self) -> None:
        try:
            computed = self.front.run()
            if computed is not None:
                self._hashed(computed)
        finally:
            self._left()

    def _hashed(self, computed: Computed) -> None:
        wrong = judge(self.file.digest, computed) is Trust.MISMATCH
        if wrong and self.proven and self._mended:
            self._mended = False
            self.ask_restart("the bytes do not have the digest the source names", single=True)
            return
        with self.changed:
            self._finished = True
        fetched = Fetched(
            part=self.target.part,
            computed=computed,
            received=self.received,
            file_name=self.file_name,
            etag=self.validator.etag if self.validator else None,
        )
        if self._hooks:
            self._hooks.finished(fetched)

    # Starting again, and ending

    def ask_restart(self, reason: str, *, single: bool = False) -> None:
        """Begin this file again, once everybody has left it."""
        with self.changed:
            self._restart = self._restart or Restart(reason, single)
            self.front.stop()

    def shut(self) -> None:
        """The transfer is over, with this file or without it. Whoever leaves last closes it."""
        with self.changed:
            self._shut = True
            if self._hooks is not None:
                self.front.stop()
            self._users += 1
        self._left()

    def _left(self) -> None:
        with self.changed:
            self._users -= 1
            if self._users:
                return
            restart = None if self._shut else self._restart
            self._users += restart is not None  # we stay until it has begun again
        if restart is not None:
            self._begin_again(restart)
        elif self._shut:
            self._opened.close()

    def _begin_again(self, restart: Restart) -> None:
        try:
            self._start_over(restart)
        except BaseException:
            self._shut = True
            raise
        finally:
            self._left()
        self._wake()

    def _start_over(self, restart: Restart) -> None:
        """Nobody else is here, and nobody comes in before `_restart` is None again."""
        self.mode = Mode.SINGLE if self._starts.again(restart) else Mode.PROBING
        self._say("restart", f"{self.path} starts again: {restart.reason}.")
        self.part.empty()
        if self.file.size is not None:
            self.part.reserve(self.file.size)
        self.segments = Segments(self.file.size, self._options.piece_bytes)
        self.have = 0
        self.validator = None
        self._identified = False
        with self.changed:
            self._restart = None
            self._follow(None)

    def _wake(self) -> None:
        if self._hooks:
            self._hooks.wake()

    def _say(self, code: str, message: str, **facts: object) -> None:
        self._observer.say(code, message, path=self.path, **facts)
