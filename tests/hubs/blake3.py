"""BLAKE3 as its specification writes it: slow and independent of any library, for small content."""

from __future__ import annotations

import struct

IV = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
BLOCK, CHUNK = 64, 1024
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF

Words = tuple[int, ...]


def hexdigest(data: bytes) -> str:
    return struct.pack("<8I", *_node(data, 0, ROOT)).hex()


def _node(data: bytes, chunk: int, flags: int) -> Words:
    """The chaining value of the subtree over `data`, which begins at this chunk."""
    if len(data) <= CHUNK:
        return _chunk(data, chunk, flags)
    left = 1 << ((len(data) - 1) // CHUNK).bit_length() - 1
    halves = _node(data[: left * CHUNK], chunk, 0) + _node(data[left * CHUNK :], chunk + left, 0)
    return _compress(IV, halves, 0, BLOCK, PARENT | flags)


def _chunk(data: bytes, number: int, flags: int) -> Words:
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)] or [b""]
    value: Words = IV
    for index, block in enumerate(blocks):
        first = CHUNK_START if index == 0 else 0
        last = CHUNK_END | flags if index == len(blocks) - 1 else 0
        words = struct.unpack("<16I", block.ljust(BLOCK, b"\0"))
        value = _compress(value, words, number, len(block), first | last)
    return value


def _compress(value: Words, message: Words, counter: int, length: int, flags: int) -> Words:
    state = [*value, *IV[:4], counter & MASK, counter >> 32, length, flags]
    for _ in range(7):
        for lanes, pair in zip((*COLUMNS, *DIAGONALS), range(0, 16, 2), strict=True):
            _mix(state, lanes, message[pair], message[pair + 1])
        message = tuple(message[at] for at in ORDER)
    return tuple(state[at] ^ state[at + 8] for at in range(8))


def _mix(state: list[int], lanes: tuple[int, int, int, int], first: int, second: int) -> None:
    a, b, c, d = lanes
    for word, turn_d, turn_b in ((first, 16, 12), (second, 8, 7)):
        state[a] = (state[a] + state[b] + word) & MASK
        state[d] = _right(state[d] ^ state[a], turn_d)
        state[c] = (state[c] + state[d]) & MASK
        state[b] = _right(state[b] ^ state[c], turn_b)


def _right(word: int, by: int) -> int:
    return (word >> by | word << (32 - by)) & MASK
