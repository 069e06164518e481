"""Notes: which blob a file turned out to be whose source publishes no SHA-256.

Without them a run that was killed before it had installed anything would have to fetch its finished
files again, because nobody could tell which blobs they are. There is one file of notes for a lock;
only its holder writes. Notes are hints: a torn line is passed over, and who follows one checks.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping

from downloader.library.store import durability
from downloader.library.store.folders import Folder

SUFFIX = ".notes"
LIMIT = 64 << 20
LINE = re.compile(rb"([0-9a-f]{64}) ([0-9a-f]{64})")


def file_name(lock: str) -> str:
    return hashlib.sha256(lock.encode()).hexdigest()[:40] + SUFFIX


def add(staging: Folder, lock: str, found: Mapping[str, str]) -> None:
    """`found`: the SHA-256 of each file, by its identity."""
    lines = [f"{_key(identity)} {sha256}\n" for identity, sha256 in found.items()]
    flags = durability.WRITE | os.O_CREAT | os.O_APPEND
    file = os.open(file_name(lock), flags, durability.FILE_MODE, dir_fd=staging.descriptor)
    try:
        durability.write(file, "".join(lines).encode())
    finally:
        os.close(file)


def read(staging: Folder, lock: str) -> dict[bytes, str]:
    data = staging.read(file_name(lock), LIMIT) or b""
    lines = [LINE.fullmatch(line) for line in data.split(b"\n")]
    return {line[1]: line[2].decode() for line in lines if line}


class Notes:
    """What was found in the notes of some locks."""

    def __init__(self, found: Mapping[bytes, str]) -> None:
        self._found = found

    def get(self, identity: str) -> str | None:
        return self._found.get(_key(identity).encode())


def _key(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()
