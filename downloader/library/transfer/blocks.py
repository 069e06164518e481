"""Buffers that go from the receiving thread to the hashing one and back."""

from __future__ import annotations

import itertools


class Block:
    """A buffer, and the bytes in it. Two may hold it; the last one to let go gives it back."""

    __slots__ = ("_leaving", "_pool", "buffer", "view")

    def __init__(self, pool: Blocks, size: int) -> None:
        self._pool = pool
        self.buffer = memoryview(bytearray(size))
        self.view = self.buffer
        self._leaving = itertools.count(1)

    def share(self) -> None:
        """One more holds it."""
        self._leaving = itertools.count(0)

    def release(self) -> None:
        if next(self._leaving) == 1:  # a count is atomic
            self._pool.give_back(self)


class Blocks:
    """There are never more than threads and queues can hold at once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[Block] = []

    def take(self) -> Block:
        try:
            block = self._free.pop()
        except IndexError:
            return Block(self, self._size)
        block._leaving = itertools.count(1)
        return block

    def give_back(self, block: Block) -> None:
        self._free.append(block)
