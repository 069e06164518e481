"""Signatures, manifests, and what of a tar or a folder is believed."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from downloader.library.bundles import MANIFEST, SIGNATURE, ed25519, parsing, reading, signing
from downloader.library.bundles import manifest as manifests
from downloader.library.bundles.manifest import BundledFile, BundledRepo, Manifest
from downloader.library.bundles.signing import Key
from downloader.library.errors import DownloadError, InvalidFile, NotFound, Refused, UnsafeName
from downloader.library.watch import Control

pytestmark = pytest.mark.pure

KEY = Key(bytes(range(32)))
SHA = "ab" * 32

# RFC 8032, 7.1: seed, public key, message, signature.
VECTORS = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
        "f9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
        "f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984"
        "dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_signatures_are_those_of_the_standard(
    seed: str, public: str, message: str, signature: str
) -> None:
    key, said = bytes.fromhex(seed), bytes.fromhex(message)
    assert ed25519.public_key(key).hex() == public
    assert ed25519.sign(key, said).hex() == signature
    assert ed25519.verify(bytes.fromhex(public), said, bytes.fromhex(signature))


@pytest.mark.parametrize("at", [0, 31, 32, 63])
def test_a_signature_with_one_bit_changed_is_none(at: int) -> None:
    signature = bytearray(ed25519.sign(KEY.seed, b"bundle"))
    signature[at] ^= 1
    assert not ed25519.verify(KEY.public, b"bundle", bytes(signature))


ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group, by the standard


def test_a_signature_in_another_form_is_none() -> None:
    """The same numbers, written larger than they need be, would verify for who adds no check."""
    signature = ed25519.sign(KEY.seed, b"bundle")
    larger = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    assert ed25519.verify(KEY.public, b"bundle", signature)
    assert not ed25519.verify(KEY.public, b"bundle", signature[:32] + larger)
    assert not ed25519.verify(KEY.public, b"bundle", signature + b"\0")
    assert not ed25519.verify((2**255 - 18).to_bytes(32, "little"), b"bundle", signature)


def test_who_signed_is_known_by_a_short_id_and_must_be_trusted() -> None:
    signature = KEY.signature_of(b"manifest")
    assert signing.check(b"manifest", signature, {KEY.id}) == KEY.id
    with pytest.raises(Refused, match=f"--trust {KEY.id}") as refused:
        signing.check(b"manifest", signature, set())
    assert refused.value.details["key_id"] == KEY.id


def test_a_manifest_that_was_changed_is_refused_before_trust_is_asked_for() -> None:
    with pytest.raises(InvalidFile, match="changed or damaged"):
        signing.check(b"manifest!", KEY.signature_of(b"manifest"), set())


@pytest.mark.parametrize(
    "signature", [b"", b"{}", b"[]", b'{"algorithm": "none"}', b"[" * 5000, b"\xff"]
)
def test_a_signature_that_is_none_is_told_of(signature: bytes) -> None:
    with pytest.raises(InvalidFile, match="signature"):
        signing.check(b"manifest", signature, {KEY.id})


def test_the_seed_is_in_no_text_of_the_key() -> None:
    assert KEY.seed.hex() not in repr(KEY)
    assert KEY.seed.hex().encode() not in KEY.signature_of(b"manifest")


# The manifest


def manifest(**changes: Any) -> Manifest:
    facts: dict[str, Any] = {
        "source": "hf",
        "author": "forge",
        "name": "xl",
        "revision": "main",
        "commit": "c" * 40,
        "seen_at": "2026-11-20T09:00:00+00:00",
        "files": (BundledFile("a/b.safetensors", 7, f"sha256:{SHA}", SHA, "verified"),),
        "metadata": {"tags": ["x"]},
    }
    return Manifest((BundledRepo(**{**facts, **changes}),), (), "2026-11-20T09:00:00Z")


def told(made: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.encoded())
    return found


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert parsing.parse(manifest().encoded()) == manifest()


def test_no_signed_address_and_no_password_gets_into_a_manifest() -> None:
    made = manifest(
        page="https://me:secret@hub.example/forge/xl?token=secret",
        metadata={"card": ["see https://cdn.example/x?sig=secret", {"https://u:secret@h/": 1}]},
    )
    assert b"secret" not in made.encoded()
    assert b"https://cdn.example/x" in made.encoded()


@pytest.mark.parametrize(
    "path", ["../x.json", "/etc/x.json", "a/../../x.json", "a\\..\\x.json", ".dreamforge.json"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    made = manifest(files=(BundledFile(path, 7, "", SHA, "local"),))
    with pytest.raises(UnsafeName):
        parsing.parse(made.encoded())


@pytest.mark.parametrize("blob", [{"size": []}, {"size": {}}, {"size": None}])
def test_a_blob_of_no_size_is_refused(blob: dict[str, Any]) -> None:
    wrong = told(manifest())
    wrong["blobs"][0] |= blob
    with pytest.raises(InvalidFile):
        parsing.parse(json.dumps(wrong).encode())


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("author", "../up"),
        ("name", ".."),
        ("revision", "a b"),
        ("commit", "main"),
        ("source", "file"),
        ("gated", 1),
        ("metadata", []),
        ("files", None),
        ("files", [{"path": "a"}]),
        ("licence", "x" * 201),
        ("page", "a\0b"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_refused(where: str, value: Any) -> None:
    wrong = told(manifest())
    wrong["repos"][0][where] = value
    with pytest.raises(InvalidFile):
        parsing.parse(json.dumps(wrong).encode())


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("sha256", "AB" * 32),
        ("sha256", "../../etc/passwd"),
        ("size", -1),
        ("size", True),
        ("size", 8),  # not what the list of blobs says
        ("size", None),
        ("trust", "certain"),
        ("source_digest", "sha256:zz"),
        ("path", ""),
    ],
)
def test_a_file_that_is_not_described_rightly_is_refused(where: str, value: Any) -> None:
    wrong = told(manifest())
    wrong["repos"][0]["files"][0][where] = value
    with pytest.raises(InvalidFile):
        parsing.parse(json.dumps(wrong).encode())


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"format": "other"}']
)
def test_what_is_no_manifest_is_told_of(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        parsing.parse(data)


def test_a_manifest_of_a_later_version_says_what_to_do() -> None:
    later = {**told(manifest()), "format_version": 2}
    with pytest.raises(InvalidFile, match="update"):
        parsing.parse(json.dumps(later).encode())


def test_an_inventory_and_a_manifest_both_tell_what_is_known() -> None:
    inventory = json.dumps(manifests.inventory({SHA: 7})).encode()
    assert parsing.known_blobs(inventory) == {SHA}
    assert parsing.known_blobs(manifest().encoded()) == {SHA}


# Opening


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for header, data in members:
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> Any:
    header = tarfile.TarInfo(name)
    header.type = kind
    header.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    return header, data


def opened(path: Path) -> reading.Bundle:
    return reading.opened(path, Control())


def test_a_tar_is_read_in_place(tmp_path: Path) -> None:
    path = tar(tmp_path / "b.tar", member(MANIFEST, b"{}"), member(f"./blobs/ab/{SHA}", b"x" * 700))
    with opened(path) as bundle:
        assert bundle.small(MANIFEST, 10) == b"{}"
        assert bundle.small(f"blobs/ab/{SHA}", 1000) == b"x" * 700
        assert not bundle.has(SIGNATURE)
    assert os.listdir(tmp_path) == ["b.tar"]  # noqa: PTH208


@pytest.mark.parametrize(
    "wrong",
    [
        member("../../etc/passwd", b"x"),
        member("/etc/passwd", b"x"),
        member("blobs/ab/../../x", b"x"),
        member(f"blobs/cd/{SHA}", b"x"),
        member("notes.txt", b"x"),
        member(MANIFEST, kind=tarfile.SYMTYPE),
        member(f"blobs/ab/{SHA}", kind=tarfile.LNKTYPE),
        member("blobs", kind=tarfile.SYMTYPE),
        member(MANIFEST, kind=tarfile.CHRTYPE),
        member(MANIFEST, kind=tarfile.FIFOTYPE),
        member("pax", b"x" * 100, kind=tarfile.XHDTYPE),
        member("././@LongLink", b"x" * 100, kind=tarfile.GNUTYPE_LONGNAME),
        member(MANIFEST, kind=tarfile.GNUTYPE_SPARSE),
        member(MANIFEST, b"twice"),
    ],
    ids=lambda wrong: f"{wrong[0].name}-{wrong[0].type!r}",
)
def test_a_tar_with_anything_else_in_it_is_refused(tmp_path: Path, wrong: Any) -> None:
    path = tar(tmp_path / "b.tar", member(MANIFEST, b"{}"), wrong)
    with pytest.raises(InvalidFile):
        opened(path)


@pytest.mark.parametrize("length", [0, 100, 512, 700, 1536])
def test_a_tar_that_is_cut_off_is_told_of(tmp_path: Path, length: int) -> None:
    path = tar(tmp_path / "b.tar", member(MANIFEST, b"x" * 1000))
    os.truncate(path, length)
    with pytest.raises(InvalidFile, match="cut off"):
        opened(path)


def test_a_header_that_promises_more_than_there_is_costs_nothing(tmp_path: Path) -> None:
    header = tarfile.TarInfo(MANIFEST)
    header.size = 1 << 60
    path = tmp_path / "b.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(InvalidFile, match="cut off"):
        opened(path)


def test_a_negative_size_ends_nowhere_but_in_a_refusal(tmp_path: Path) -> None:
    header = bytearray(tarfile.TarInfo(MANIFEST).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12  # -1 in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "b.tar"
    path.write_bytes(bytes(header) + bytes(1024))
    with pytest.raises(InvalidFile, match="cut off"):
        opened(path)


def test_any_other_file_is_no_tar(tmp_path: Path) -> None:
    path = tmp_path / "b.tar"
    path.write_bytes(b"\x1f\x8b" + b"x" * 2000)
    with pytest.raises(InvalidFile, match="not a tar"):
        opened(path)


def test_a_manifest_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / MANIFEST
    path.touch()
    os.truncate(path, 1 << 40)
    with opened(tmp_path) as bundle, pytest.raises(InvalidFile, match="no bundle needs so many"):
        bundle.small(MANIFEST, 1 << 20)


@pytest.mark.parametrize("where", ["link", "pipe"])
def test_only_plain_files_of_a_folder_are_read(tmp_path: Path, where: str) -> None:
    (tmp_path / "secret").write_text("secret")
    if where == "link":
        (tmp_path / MANIFEST).symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(tmp_path / MANIFEST)
    with opened(tmp_path) as bundle, pytest.raises(DownloadError):
        bundle.small(MANIFEST, 100)


def test_a_folder_of_blobs_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/ab").mkdir(parents=True)
    (tmp_path / "elsewhere/ab" / SHA).write_text("x")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/blobs").symlink_to(tmp_path / "elsewhere")
    with opened(tmp_path / "bundle") as bundle, pytest.raises(Refused):
        bundle.small(f"blobs/ab/{SHA}", 10)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no bundle at"):
        opened(tmp_path / "absent")
    with opened(tmp_path) as bundle, pytest.raises(NotFound, match=MANIFEST):
        bundle.small(MANIFEST, 10)


def test_a_pipe_is_no_bundle_and_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidFile, match="neither a folder nor a tar"):
        opened(tmp_path / "pipe")
