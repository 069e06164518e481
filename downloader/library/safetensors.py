"""The header of a safetensors file: read with bounds, checked against the file, nothing loaded.

    8 bytes: length N of the header · N bytes of JSON · the tensors' bytes, without gaps

The header is read one tensor at a time, so that JSON made to be large when parsed is not.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from downloader.library.errors import InvalidFile

LENGTH_BYTES: Final = 8
MOST_HEADER_BYTES: Final = 100_000_000
MOST_TENSORS: Final = 200_000
MOST_NAME_CHARACTERS: Final = 1_024
MOST_ENTRY_CHARACTERS: Final = 4_096  # of one tensor's dtype, shape and offsets
MOST_DIMENSIONS: Final = 64
LARGEST: Final = 2**63 - 1
METADATA: Final = "__metadata__"
BITS: Final[Mapping[str, int]] = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F8_E4M3": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2": 8,
    "F8_E5M2FNUZ": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
}
_BLANK: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Tensor:
    """`begin` and `end` count from the first byte after the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


class _Broken(Exception):
    """What is wrong with the header."""


def read_header(source: str | os.PathLike[str] | BinaryIO, size: int | None = None) -> Header:
    """The header, or InvalidFile. `size` is that of the whole file; a reader stands at its start.

    At most 100 MB are read, and none of the tensors. Given back only when the tensors lie one after
    the other, within the file, and fill it.
    """
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as reader:
            return read_header(reader, os.fstat(reader.fileno()).st_size)
    if size is None:
        raise ValueError("The size of the file is needed with a reader.")
    try:
        return _read(source, size)
    except _Broken as broken:
        why = str(broken)
    raise InvalidFile(f"This is not a valid safetensors file: {why}.")


def _read(reader: BinaryIO, size: int) -> Header:
    start = reader.read(LENGTH_BYTES)
    length = int.from_bytes(start, "little")
    if len(start) < LENGTH_BYTES or size < LENGTH_BYTES:
        raise _Broken("it is too short to have a header")
    if length > MOST_HEADER_BYTES:
        raise _Broken(f"its header would have {length} bytes, and {MOST_HEADER_BYTES} are allowed")
    if length > size - LENGTH_BYTES:
        raise _Broken("its header would be longer than the file")
    raw = reader.read(length)
    if len(raw) < length:
        raise _Broken("it ends within the header")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None or not text.startswith("{"):
        raise _Broken("its header is not JSON")
    header = _header(text)
    _check_layout(header.tensors, size - LENGTH_BYTES - length)
    return header


def _header(text: str) -> Header:
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] | None = None
    reading = _Reading(text)
    for name in reading.members():
        if name in tensors or (name == METADATA and metadata is not None):
            raise _Broken(f"{_shown(name)} is there twice")
        if name == METADATA:
            metadata = _metadata(reading)
            continue
        if len(name) > MOST_NAME_CHARACTERS or len(tensors) >= MOST_TENSORS:
            raise _Broken(f"it has more than {MOST_TENSORS} tensors, or a name that is too long")
        tensors[name] = _tensor(name, reading.entry())
    reading.expect_end()
    return Header(tensors, metadata or {})


def _metadata(reading: _Reading) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in reading.members():
        if name in found:
            raise _Broken(f"{_shown(name)} is in the metadata twice")
        found[name] = reading.string()
    return found


class _Reading:
    """A JSON text and how far it is read. Values are made one at a time, as the caller asks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._json = json.JSONDecoder(object_pairs_hook=_once)

    def members(self) -> Iterator[str]:
        """The names of an object's members; the caller reads each one's value before the next."""
        self._take("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            name = self.string()
            self._take(":")
            yield name
            mark = self._next()
            self._take("}" if mark == "}" else ",")
            if mark == "}":
                return

    def string(self) -> str:
        if self._next() != '"':
            raise _Broken("its header has something else where a text belongs")
        value, self._at = self._decoded(self._text, self._at)
        return str(value)

    def entry(self) -> Any:
        """A small value. Only so much of the text is looked at."""
        self._next()
        window = self._text[self._at : self._at + MOST_ENTRY_CHARACTERS]
        value, length = self._decoded(window, 0)
        self._at += length
        return value

    def expect_end(self) -> None:
        if self._next():
            raise _Broken("more follows the JSON of its header")

    def _decoded(self, text: str, at: int) -> tuple[Any, int]:
        try:
            return self._json.raw_decode(text, at)
        except (ValueError, RecursionError):
            pass
        raise _Broken("its header is not JSON as the format has it")

    def _next(self) -> str:
        """The next character that is not blank; "" at the end."""
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, mark: str) -> None:
        if self._next() != mark:
            raise _Broken("its header is not JSON as the format has it")
        self._at += 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _tensor(name: str, entry: Any) -> Tensor:
    """One entry, whose bytes are as many as its shape needs."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _Broken(f"{_shown(name)} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _Broken(f"{_shown(name)} has a type of number that is not known")
    if not _are_sizes(shape) or len(shape) > MOST_DIMENSIONS:
        raise _Broken(f"{_shown(name)} has no valid shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _Broken(f"{_shown(name)} has no valid offsets")
    bits = math.prod(shape) * BITS[dtype]
    if bits > LARGEST or bits != 8 * (offsets[1] - offsets[0]):
        raise _Broken(f"{_shown(name)} has other bytes than its shape needs")
    return Tensor(dtype, tuple(shape), offsets[0], offsets[1])


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= LARGEST for value in values
    )


def _check_layout(tensors: Mapping[str, Tensor], size: int) -> None:
    """One after the other, from the first byte to the last."""
    front = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != front:
            what = "overlaps another tensor" if tensor.begin < front else "leaves a gap before it"
            raise _Broken(f"{_shown(name)} {what}")
        front = tensor.end
    if front > size:
        raise _Broken(f"its tensors need {front} bytes, and there are {size}")
    if front < size:
        raise _Broken(f"{size - front} bytes at its end belong to no tensor")


def _shown(name: str) -> str:
    return repr(name[:80])
