"""What is known about the pieces of a part, in an append-only file beside it.

The first line says which bytes these are; each line after it names a finished piece and its BLAKE3.
A line is believed only when it is whole, and its piece only when its bytes still have the digest:
that holds after a kill, after a power cut that kept one file and lost the other, and after damage.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from downloader.library.remote import RemoteFile
from downloader.library.transfer.answers import Validator
from downloader.library.transfer.part import open_plain, translated

_FORMAT = "dreamforge-ledger-1"
_LONGEST = 256 * 1024 * 1024
_LINE = re.compile(rb"([0-9]{1,12}) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Identity:
    """Which bytes a part holds. No address: that may be signed."""

    size: int | None
    piece_bytes: int
    digest: str | None = None  # as the source names it
    etag: str | None = None  # strong
    origin: str | None = None  # who gave the etag
    file_name: str | None = None

    def fits(self, file: RemoteFile, piece_bytes: int) -> bool:
        """Whether a part with these bytes may be taken up for `file`: the source names the same
        digest, or there is an ETag to ask with."""
        digest = file.digest
        return (
            self.piece_bytes == piece_bytes
            and self.size is not None
            and file.size in (None, self.size)
            and self.digest == (str(digest) if digest else None)
            and ((digest is not None and digest.strong) or self.validator is not None)
        )

    @property
    def validator(self) -> Validator | None:
        return Validator(self.etag, self.origin) if self.etag and self.origin else None


@dataclass(frozen=True)
class Recorded:
    identity: Identity
    pieces: Mapping[int, bytes]  # index → digest


class Ledger:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = open_plain(path, os.O_APPEND)

    def load(self) -> Recorded | None:
        """What an earlier run wrote; None when it cannot be used. A torn last line is cut off."""
        try:
            size = os.fstat(self._descriptor).st_size
            raw = os.pread(self._descriptor, min(size, _LONGEST), 0)
            whole = raw[: raw.rfind(b"\n") + 1]
            if len(whole) < size:
                os.ftruncate(self._descriptor, len(whole))
        except OSError as error:
            raise translated(error, self.path) from None
        first, _, rest = whole.partition(b"\n")
        identity = _identity(first)
        return Recorded(identity, _pieces(rest)) if identity else None

    def begin(self, identity: Identity) -> None:
        """Forget everything; from now on the part holds these bytes."""
        line = json.dumps({"format": _FORMAT, **asdict(identity)}).encode("ascii")
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise translated(error, self.path) from None
        self._write(line + b"\n")

    def append(self, index: int, digest: bytes) -> None:
        """The piece `index` is written. One system call: lines of many threads do not mix."""
        self._write(b"%d %s\n" % (index, digest.hex().encode("ascii")))

    def close(self) -> None:
        os.close(self._descriptor)

    def _write(self, line: bytes) -> None:
        try:
            os.write(self._descriptor, line)
        except OSError as error:
            raise translated(error, self.path) from None


def _identity(line: bytes) -> Identity | None:
    try:
        data = json.loads(line)
        if data.pop("format") != _FORMAT:
            return None
        identity = Identity(**data)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return identity if _is_sound(identity) else None


def _is_sound(identity: Identity) -> bool:
    """JSON promises no types."""
    values: dict[str, Any] = asdict(identity)
    size, piece_bytes = values.pop("size"), values.pop("piece_bytes")
    return (
        all(value is None or isinstance(value, str) for value in values.values())
        and isinstance(piece_bytes, int)
        and (size is None or (isinstance(size, int) and size >= 0))
    )


def _pieces(lines: bytes) -> dict[int, bytes]:
    found = (_LINE.fullmatch(line) for line in lines.split(b"\n"))
    return {int(line[1]): bytes.fromhex(line[2].decode("ascii")) for line in found if line}
