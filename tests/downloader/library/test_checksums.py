"""Digests: computed in one pass, and judged so that nothing weak passes."""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.checksums import (
    READ_BYTES,
    Computed,
    Digest,
    Hashing,
    Trust,
    hash_file,
    judge,
)
from downloader.library.errors import Canceled, InvalidFile
from downloader.library.watch import Control

pytestmark = pytest.mark.pure

BODY = b"what is hashed"
SHA256 = hashlib.sha256(BODY).hexdigest()
GIT_SHA1 = hashlib.sha1(b"blob %d\0%s" % (len(BODY), BODY), usedforsecurity=False).hexdigest()
CRC32 = f"{zlib.crc32(BODY):08x}"
ALL = Computed(len(BODY), SHA256, GIT_SHA1, "b" * 64, CRC32)


def test_a_digest_is_kept_in_lower_case() -> None:
    assert Digest("sha256", f" {SHA256.upper()}\n").value == SHA256
    assert str(Digest("crc32", CRC32.upper())) == f"crc32:{CRC32}"


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("md5", "0" * 32),
        ("", "0" * 64),
        ("sha256", "0" * 63),
        ("sha256", "0" * 65),
        ("sha256", "g" * 64),
        ("sha256", ""),
        ("sha256", "\u0660" * 64),
        ("git-sha1", "0" * 64),
        ("autov2", "0" * 64),
    ],
)
def test_what_is_no_digest_is_refused(algorithm: str, value: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        Digest(algorithm, value)


@pytest.mark.parametrize(
    ("expected", "trust"),
    [
        (None, Trust.LOCAL),
        (Digest("sha256", SHA256), Trust.VERIFIED),
        (Digest("sha256", SHA256.upper()), Trust.VERIFIED),
        (Digest("git-sha1", GIT_SHA1), Trust.VERIFIED),
        (Digest("blake3", "b" * 64), Trust.VERIFIED),
        (Digest("sha256", "0" * 64), Trust.MISMATCH),
        (Digest("git-sha1", "0" * 40), Trust.MISMATCH),
        (Digest("blake3", "0" * 64), Trust.MISMATCH),
        (Digest("crc32", CRC32), Trust.LOCAL),
        (Digest("autov2", SHA256[:10]), Trust.LOCAL),
        (Digest("crc32", "00000000"), Trust.MISMATCH),
        (Digest("autov2", "0" * 10), Trust.MISMATCH),
    ],
)
def test_only_an_equal_and_whole_digest_verifies(expected: Digest | None, trust: Trust) -> None:
    assert judge(expected, ALL) is trust


@pytest.mark.parametrize(
    ("expected", "trust"),
    [
        (Digest("git-sha1", GIT_SHA1), Trust.UNVERIFIED),
        (Digest("blake3", "b" * 64), Trust.UNVERIFIED),
        (Digest("crc32", CRC32), Trust.LOCAL),
    ],
)
def test_a_digest_that_was_not_computed_verifies_nothing(expected: Digest, trust: Trust) -> None:
    assert judge(expected, Computed(len(BODY), SHA256)) is trust


def test_one_pass_gives_all_digests() -> None:
    hashing = Hashing(len(BODY), ["git-sha1", "crc32", "sha256", "autov2"])
    hashing.update(BODY[:5])
    hashing.update(memoryview(bytearray(BODY[5:])))

    assert hashing.computed() == Computed(len(BODY), SHA256, GIT_SHA1, None, CRC32)


def test_only_what_is_asked_for_is_computed() -> None:
    hashing = Hashing(len(BODY), [])
    hashing.update(BODY)

    assert hashing.computed() == Computed(len(BODY), SHA256)


@pytest.mark.parametrize("size", [None, len(BODY) - 1, len(BODY) + 1])
def test_there_is_no_git_digest_when_the_size_was_not_true(size: int | None) -> None:
    hashing = Hashing(size, ["git-sha1"])
    hashing.update(BODY)

    assert hashing.computed().git_sha1 is None
    assert hashing.computed().sha256 == SHA256


def test_the_digests_so_far_can_be_looked_at() -> None:
    hashing = Hashing(None)
    hashing.update(BODY[:3])
    early = hashing.computed()
    hashing.update(BODY[3:])

    assert early.sha256 == hashlib.sha256(BODY[:3]).hexdigest()
    assert hashing.computed().sha256 == SHA256


def test_an_unknown_algorithm_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="md5"):
        Hashing(0, ["md5"])


def test_blake3_is_computed_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", SimpleNamespace(blake3=hashlib.blake2s))
    hashing = Hashing(None, ["blake3"])
    hashing.update(BODY)

    assert hashing.computed().blake3 == hashlib.blake2s(BODY).hexdigest()


def test_the_package_computes_blake3_as_published() -> None:
    hashing = Hashing(None, ["blake3"])
    hashing.update(b"abc")

    assert (
        hashing.computed().blake3
        == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    )


def test_without_the_package_blake3_is_unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    hashing = Hashing(None, ["blake3"])
    hashing.update(BODY)

    assert judge(Digest("blake3", "b" * 64), hashing.computed()) is Trust.UNVERIFIED


@pytest.mark.parametrize("size", [0, 1, READ_BYTES, 2 * READ_BYTES + 7])
def test_a_file_is_hashed_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    body = os.urandom(size)
    path.write_bytes(body)

    found = hash_file(path, ["git-sha1"])

    assert (found.size, found.sha256) == (size, hashlib.sha256(body).hexdigest())
    assert found.git_sha1 is not None


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    (tmp_path / "link").symlink_to("file")

    assert hash_file(tmp_path / "link").sha256 == SHA256


def test_hashing_stops_when_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    control = Control()
    control.cancel()

    with pytest.raises(Canceled):
        hash_file(tmp_path / "file", control=control)


def test_a_pipe_in_a_files_place_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InvalidFile, match="not a regular file"):
        hash_file(tmp_path / "pipe")


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hash_file(tmp_path / "absent")


@given(st.lists(st.binary(max_size=50)))
def test_the_pieces_do_not_matter(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    hashing = Hashing(len(body), ["git-sha1", "crc32"])
    for piece in pieces:
        hashing.update(piece)
    whole = Hashing(len(body), ["git-sha1", "crc32"])
    whole.update(body)

    assert hashing.computed() == whole.computed()


@given(st.integers(0, 63), st.sampled_from("0123456789abcdef"))
def test_one_other_digit_is_a_mismatch(place: int, digit: str) -> None:
    other = SHA256[:place] + digit + SHA256[place + 1 :]
    expected = Trust.VERIFIED if other == SHA256 else Trust.MISMATCH

    assert judge(Digest("sha256", other), ALL) is expected
