"""What is fetched, and how the server behaves meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    name: str
    about: str
    files: int
    size: int  # of each
    rate: float = 0.0  # of a connection, bytes per second
    latency_s: float = 0.0
    killed: bool = False  # a first run is killed when half is sent; the second is measured

    @property
    def pace(self) -> str:
        """As the path of the server."""
        slow = self.rate or self.latency_s
        return f"rate={self.rate},latency={self.latency_s}/" if slow else ""

    @property
    def bytes(self) -> int:
        return self.files * self.size


CASES = {
    case.name: case
    for case in (
        Case("large", "2 GiB, as fast as it goes", 1, 2048 * MIB),
        Case("capped", "1 GiB, 25 MB/s for a connection, 20 ms", 1, 1024 * MIB, 25e6, 0.02),
        Case("small", "1,000 files of 64 KiB, 10 ms", 1000, MIB // 16, 0, 0.01),
        Case(
            "resume",
            "1 GiB, 25 MB/s for a connection, 20 ms, after a kill at 50 %",
            1,
            1024 * MIB,
            25e6,
            0.02,
            killed=True,
        ),
    )
}


@dataclass(frozen=True)
class Content:
    """The files of a case: made once, and read once so that the page cache has them."""

    folder: Path
    sums: Path
    sizes: Path
    names: tuple[str, ...]


def prepare(case: Case, root: Path) -> Content:
    where = root / f"{case.files}x{case.size}"
    folder = where / "files"
    names = tuple(f"file{number:04}.bin" for number in range(case.files))
    content = Content(folder, where / "sums", where / "sizes", names)
    if not content.sizes.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sums = [f"{_write(folder / name, case.size)}  {name}\n" for name in names]
        content.sums.write_text("".join(sums))
        content.sizes.write_text(json.dumps(dict.fromkeys(names, case.size)))
    for name in names:
        _read(folder / name)
    return content


def _write(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while size:
            data = os.urandom(min(size, MIB))
            size -= file.write(data)
            digest.update(data)
    return digest.hexdigest()


def _read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(MIB):
            pass
