"""A disk that is full or refuses: a clear error, what was fetched is kept, the next run goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from downloader.library.errors import DownloadError, NoSpace, StoreFailed
from downloader.library.transfer import part as parts
from tests.downloader.library.transfer.world import CONTENT, PIECE, SIZE, World, sha256

pytestmark = pytest.mark.pure

DIGEST = sha256(CONTENT)
CODES = [
    (errno.ENOSPC, NoSpace),
    (errno.EDQUOT, NoSpace),
    (errno.EIO, StoreFailed),
    (errno.EROFS, StoreFailed),
    (errno.EFBIG, StoreFailed),
]


def failing_from(count: int, code: int, call: Callable[..., int]) -> Callable[..., int]:
    """A system call that fails from its `count`th time on."""
    calls = iter(range(1 << 30))

    def failing(*arguments: object) -> int:
        if next(calls) >= count:
            raise OSError(code, os.strerror(code))
        return call(*arguments)

    return failing


@pytest.mark.parametrize(("code", "error"), CODES)
@pytest.mark.parametrize("count", [0, 1, 50, 120])
def test_a_write_that_fails_keeps_what_is_there(
    alone: World,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    code: int,
    error: type[DownloadError],
) -> None:
    url = alone.serve()
    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", failing_from(count, code, os.pwrite))
        with pytest.raises(error):
            alone.fetch(url, digest=DIGEST)
    recorded = max(0, alone.target().ledger.read_bytes().count(b"\n") - 1)
    fetched = alone.fetch(url, digest=DIGEST)
    assert alone.bytes_of() == CONTENT.read()
    assert fetched.received == SIZE - recorded * PIECE


def test_a_ledger_that_cannot_be_written_ends_the_run(
    alone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = alone.serve()
    with monkeypatch.context() as patch:
        patch.setattr("os.write", failing_from(3, errno.ENOSPC, os.write))
        with pytest.raises(NoSpace):
            alone.fetch(url, digest=DIGEST)
    alone.fetch(url, digest=DIGEST)
    assert alone.bytes_of() == CONTENT.read()


def test_a_short_write_is_finished(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(
        "os.pwrite", lambda fd, view, at: pwrite(fd, view[: max(1, len(view) // 2)], at)
    )
    alone.fetch(alone.serve(), digest=DIGEST)
    assert alone.bytes_of() == CONTENT.read()


def test_too_little_space_shows_before_the_first_byte(tmp_path: Path) -> None:
    part = parts.Part(tmp_path / "huge.part")
    with pytest.raises((NoSpace, StoreFailed)):
        part.reserve(1 << 62)
    part.close()


def test_a_file_system_that_cannot_reserve_gets_a_sparse_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_allocate", lambda descriptor, size: False)
    part = parts.Part(tmp_path / "sparse.part")
    part.reserve(1 << 30)
    part.close()
    facts = (tmp_path / "sparse.part").stat()
    assert (facts.st_size, facts.st_blocks) == (1 << 30, 0)


def test_a_part_is_for_our_eyes_only(alone: World) -> None:
    alone.fetch(alone.serve(), digest=DIGEST)
    assert alone.target().part.stat().st_mode & 0o777 == 0o600
    assert alone.target().ledger.stat().st_mode & 0o777 == 0o600


def test_no_descriptor_is_left_open(world: World) -> None:
    def descriptors() -> list[str]:
        links = Path("/proc/self/fd").iterdir()
        return [str(link.readlink()) for link in links if link.is_symlink()]

    world.fetch(world.serve(), digest=DIGEST)
    assert not [name for name in descriptors() if str(world.folder) in name]
