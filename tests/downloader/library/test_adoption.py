"""Files become blobs where they lie; what somebody writes to is left alone."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from downloader.library import adoption
from downloader.library.checksums import Computed
from downloader.library.errors import Busy, InvalidFile, Refused
from downloader.library.layouts import Seen
from downloader.library.safety import Policy
from downloader.library.store import Store, durability
from downloader.library.watch import Control
from tests.downloader.library.store.world import computed, keep
from tests.hubs import models

pytestmark = pytest.mark.pure

FOLDER = PurePosixPath("acme/xl")
BODY = models.sdxl_checkpoint(size=100_000).read()
POLICY = Policy()


@pytest.fixture(params=["hard links", "symlinks", "no links"])
def any_store(
    request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """On file systems with ever fewer abilities, as the calls of the system tell of them."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "not supported")

    if request.param != "hard links":
        monkeypatch.setattr(durability, "link", refuse)
    if request.param == "no links":
        monkeypatch.setattr(durability, "symlink", refuse)
    return store


def put(store: Store, name: str = "xl.safetensors", body: bytes = BODY) -> tuple[Path, Seen]:
    path = store.root / FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path, Seen.of(name, path.lstat())


def taken(store: Store, seen: Seen, found: Computed) -> Seen:
    with store.claim([found.sha256]) as claim:
        return adoption.take(store, FOLDER, seen, found, claim)


def read(store: Store, seen: Seen, policy: Policy = POLICY) -> Computed:
    return adoption.read(store, FOLDER, seen, policy, Control())


def test_a_file_is_read_once_for_both_digests(store: Store) -> None:
    _, seen = put(store, "config.json", b"{}")
    found = read(store, seen)
    assert found.sha256 == computed(b"{}").sha256
    assert found.git_sha1 == "9e26dfeeb6e641a33dae4961196235bdb965b21b"


def test_a_blob_is_one_more_name_of_the_same_file(store: Store) -> None:
    path, seen = put(store)
    before = path.stat()
    assert taken(store, seen, computed(BODY)) == seen
    blob = store.blob(computed(BODY).sha256)
    assert os.path.samestat(blob.stat(), before)
    assert blob.stat().st_mode & 0o777 == 0o444
    assert path.read_bytes() == BODY


def test_the_bytes_are_a_blob_afterwards_on_any_file_system(any_store: Store) -> None:
    path, seen = put(any_store)
    taken(any_store, seen, computed(BODY))
    assert any_store.blob(computed(BODY).sha256).read_bytes() == BODY
    assert not path.exists() or path.read_bytes() == BODY


def test_the_disk_is_used_once_on_any_file_system(any_store: Store) -> None:
    _, seen = put(any_store)
    taken(any_store, seen, computed(BODY))
    whole = [p.lstat() for p in any_store.root.rglob("*") if not p.is_dir() and not p.is_symlink()]
    inodes = {found.st_ino for found in whole if found.st_size == len(BODY)}
    assert len(inodes) == 1


def test_a_second_time_changes_nothing(any_store: Store) -> None:
    path, seen = put(any_store)
    now = taken(any_store, seen, computed(BODY))
    if path.is_file() and not path.is_symlink():
        assert taken(any_store, now, computed(BODY)) == now
    assert any_store.blob(computed(BODY).sha256).read_bytes() == BODY


def test_a_file_whose_bytes_are_here_becomes_a_link_to_them(store: Store) -> None:
    sha256 = keep(store, BODY)
    path, seen = put(store)
    now = taken(store, seen, computed(BODY))
    assert os.path.samestat(path.stat(), store.blob(sha256).stat())
    assert now.inode == path.stat().st_ino != seen.inode


def test_a_file_that_changed_since_it_was_seen_is_left(store: Store) -> None:
    path, seen = put(store)
    path.write_bytes(BODY + b"more")
    with pytest.raises(Busy):
        read(store, seen)
    with pytest.raises(Busy):
        taken(store, seen, computed(BODY))
    assert path.read_bytes() == BODY + b"more"
    assert path.stat().st_mode & 0o200
    assert not store.has(computed(BODY).sha256, None)


def test_a_file_that_changes_while_it_is_read_is_left(store: Store) -> None:
    path, seen = put(store)

    def write(_count: int) -> None:
        os.utime(path, ns=(1, 1))

    with pytest.raises(Busy):
        adoption.read(store, FOLDER, seen, POLICY, Control(), write)


@pytest.fixture
def open_file(store: Store) -> Iterator[Seen]:
    path, seen = put(store)
    with path.open("r+b"):
        yield seen


def test_a_file_that_is_open_for_writing_is_left(store: Store, open_file: Seen) -> None:
    with pytest.raises(Busy, match="being written"):
        read(store, open_file)
    with pytest.raises(Busy, match="being written"):
        taken(store, open_file, computed(BODY))
    assert (store.root / FOLDER / open_file.path).stat().st_mode & 0o200


def test_a_file_on_another_file_system_is_not_copied(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(durability, "link", refuse)
    monkeypatch.setattr(durability, "rename_new", refuse)
    path, seen = put(store)
    with pytest.raises(Refused, match="another file system"):
        taken(store, seen, computed(BODY))
    assert path.read_bytes() == BODY
    assert path.stat().st_mode & 0o200


def test_content_that_is_not_what_its_name_says_is_refused(store: Store) -> None:
    _, seen = put(store, body=b"<!doctype html><html>log in</html>")
    with pytest.raises(InvalidFile, match="web page"):
        read(store, seen)


@pytest.mark.parametrize("name", ["weights.bin", "run.py", "a/../b.json", "-rf.json", "model.json"])
def test_what_the_policy_bars_is_refused_by_its_name(name: str) -> None:
    assert adoption.refusal(name, POLICY)


def test_a_pickle_joins_where_the_operator_allows_it() -> None:
    assert adoption.refusal("weights.bin", Policy(allow_pickle=True)) is None
