"""The hash that follows the finished front of a file, in a thread of its own.

What is received right at the front is hashed from the buffer it came in (hot). What came out of
order is read back, from the page cache as a rule, when the front gets there. Pieces that an earlier
run recorded are compared with their digests on the way; a damaged one is reported and waited for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from blake3 import blake3

from downloader.library.checksums import Computed, Hashing
from downloader.library.transfer.blocks import Block
from downloader.library.transfer.part import Part
from downloader.library.transfer.segments import DONE, RECORDED, Segments

_MOST_HOT = 8


class Owner(Protocol):
    """What the front needs of its file."""

    changed: threading.Condition
    segments: Segments
    part: Part

    def damaged(self, index: int) -> None: ...


class Front:
    """`offer` is for the receiving threads; `run` is the body of the hashing one."""

    def __init__(self, owner: Owner, hashing: Hashing, recorded: Mapping[int, bytes]) -> None:
        self._owner = owner
        self._hashing = hashing
        self._recorded = dict(recorded)
        self._hot: deque[tuple[int, Block]] = deque()
        self._position = 0  # all before it is hashed
        self._expected = 0  # all before it is hashed, or on the way to the hash
        self._stopped = False
        self._buffer = memoryview(bytearray(owner.segments.piece_bytes))

    def offer(self, at: int, block: Block) -> None:
        """A block just received. It is taken when it is the next; then it has two holders."""
        with self._owner.changed:
            if at != self._expected or len(self._hot) >= _MOST_HOT or self._stopped:
                return
            block.share()
            self._hot.append((at, block))
            self._expected = at + len(block.view)
            self._owner.changed.notify_all()

    def stop(self) -> None:
        """With the owner's lock held."""
        self._stopped = True
        self._owner.changed.notify_all()

    def run(self) -> Computed | None:
        """Hash to the end of the file; None when stopped before."""
        while (step := self._next()) is not None:
            if not step():
                return self._hashing.computed()
        return None

    def _next(self) -> Callable[[], bool] | None:
        """What to do now, or None to stop. A step returns False at the end of the file."""
        owner = self._owner
        with owner.changed:
            while not self._stopped:
                if self._hot:
                    block = self._hot.popleft()[1]
                    return lambda: self._hash_hot(block)
                if self._position == owner.segments.size:
                    if owner.segments.complete:  # what was hashed hot is written, too
                        return _the_end
                else:
                    index = self._position // owner.segments.piece_bytes
                    state = owner.segments.state(index)
                    if state in (DONE, RECORDED):
                        return self._cold(index, checked=state == DONE)
                owner.changed.wait()
        return None

    def _hash_hot(self, block: Block) -> bool:
        self._hashing.update(block.view)
        self._position += len(block.view)
        block.release()
        return True

    def _cold(self, index: int, *, checked: bool) -> Callable[[], bool]:
        """With the lock held: from here to the end of the piece, nothing hot is taken."""
        segments = self._owner.segments
        start = self._position
        end = index * segments.piece_bytes + segments.length(index)
        if segments.size is None:
            end = (index + 1) * segments.piece_bytes
        self._expected = end
        return lambda: self._hash_cold(index, start, end, checked)

    def _hash_cold(self, index: int, start: int, end: int, checked: bool) -> bool:
        view = self._buffer[: end - start]
        whole = self._owner.part.read(view, start) == len(view)
        if not checked and not (whole and blake3(view).digest() == self._recorded.get(index)):
            with self._owner.changed:
                self._expected = start
            self._owner.damaged(index)
            return True
        self._hashing.update(view)
        self._position = end
        return True


def _the_end() -> bool:
    return False
