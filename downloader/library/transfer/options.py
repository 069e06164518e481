"""The values that go into a transfer and come out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from downloader.library.checksums import Computed

MIB = 1024 * 1024


@dataclass(frozen=True)
class Target:
    """Where the bytes of one file are collected. Both files stay when a transfer ends, however it
    ends: whoever publishes or drops the bytes calls `discard` for what is left."""

    part: Path

    @property
    def ledger(self) -> Path:
        """What is known about the pieces in `part`, for the next run."""
        return self.part.with_name(f"{self.part.name}.ledger")

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.ledger.unlink(missing_ok=True)


@dataclass(frozen=True)
class Fetched:
    """A complete file in `part`: every byte was hashed. Whether it is the right one, the caller
    judges."""

    part: Path
    computed: Computed
    received: int  # bytes taken from the network in this run
    file_name: str | None = None  # from Content-Disposition, unjudged
    etag: str | None = None


@dataclass(frozen=True)
class TransferOptions:
    connections: int = 32  # at most, for the ranges of large files; as many as help are used
    first_connections: int = 1  # before anything is known about the link
    files: int = 32  # at most, small files at a time
    segment_bytes: int = 8 * MIB  # the least that one request asks for, but for the end of a file
    piece_bytes: int = MIB  # what the ledger writes down, and a broken run loses for a connection
    block_bytes: int = MIB // 4  # of one read, one write, one step of the hash
    max_rate: int = 0  # bytes per second, all files together; 0: no cap
    attempts: int = 6  # failures in a row without progress, for one request
    max_wait_s: float = 300.0  # for a server that asks to come back later
    max_file_bytes: int = 0  # for files whose size nobody announces; 0: no limit

    def __post_init__(self) -> None:
        if self.connections < 1 or self.files < 1 or self.attempts < 1:
            raise ValueError("connections, files and attempts are at least 1")
        if self.piece_bytes % self.block_bytes or self.segment_bytes % self.piece_bytes:
            raise ValueError("a segment is whole pieces, and a piece is whole blocks")
