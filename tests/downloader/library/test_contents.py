"""Bytes that are what their name says, and bytes that are something else."""

from __future__ import annotations

import json
import os
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library import opcodes
from downloader.library.errors import InvalidFile, Refused, StoreFailed, UnsafeName
from downloader.library.safety import (
    Policy,
    check_content,
)

pytestmark = pytest.mark.pure

STRICT = Policy()
LAX = Policy(allow_pickle=True)


def safetensors(length: int | None = None) -> bytes:
    header = json.dumps({"a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}}).encode()
    header += b" " * ((length or len(header)) - len(header))
    return len(header).to_bytes(8, "little") + header + b"abc"


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def zipped(name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("readme.txt", b"x")
        archive.writestr(name, data)
    return buffer.getvalue()


def tarred(*names: str) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 700
            archive.addfile(member, BytesIO(bytes(700)))
    return buffer.getvalue()


def array(descr: str) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"data"


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Any]:
    def checked(data: bytes, name: str, policy: Policy = STRICT) -> Any:
        path = tmp_path / "part"
        path.write_bytes(data)
        return check_content(path, name, policy)

    return checked


GOOD = {
    "x.safetensors": safetensors(),
    # The length of this header begins like a pickle of protocol 2.
    "y.safetensors": safetensors(0x0280),
    "x.gguf": b"GGUF\x03\0\0\0" + bytes(16),
    "x.onnx": b"\x08\x07\x12\x07pytorch",
    "x.onnx_data": os.urandom(1) + bytes(100),
    "tokenizer.model": b"\x0a\x0e\x0a\x05<unk>",
    "config.json": b'\xef\xbb\xbf\n {"a": 1}',
    "list.json": b"[1]",
    "merges.txt": b"#version: 0.2\ni n\n",
    "empty.txt": b"",
    "wide.txt": "text".encode("utf-16"),
    "dots.txt": b"cat\ndog\n.\n",
    "README.md": b"<!DOCTYPE html>\n<h1>A model</h1>",
    "LICENSE": b"c\nx\n",
    "conf.yaml": b"model:\n  target: x\n",
    "x.png": b"\x89PNG\r\n\x1a\n" + bytes(9),
    "x.jpg": b"\xff\xd8\xff\xe0" + bytes(9),
    "x.webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "x.gif": b"GIF89a" + bytes(9),
}


@pytest.mark.parametrize(("name", "data"), GOOD.items())
def test_bytes_that_are_what_their_name_says_pass(
    check: Callable[..., Any], name: str, data: bytes
) -> None:
    check(data, name)


def test_the_header_of_a_safetensors_file_comes_back(check: Callable[..., Any]) -> None:
    assert check(safetensors(), "x.safetensors").tensors["a"].shape == (3,)
    assert check(b"{}", "x.json") is None


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
PAGE = b" \n<!-- x --><!DOCTYPE HTML>\n<title>Login</title>"
WRONG = {
    "page": ("x.safetensors", PAGE, "web page"),
    "page without doctype": ("x.safetensors", b"<html lang=en>", "web page"),
    "page for json": ("x.json", PAGE, "web page"),
    "page for text": ("vocab.txt", PAGE, "web page"),
    "XML of a storage": ("x.gguf", b"<?xml version='1.0'?><Error>", "web page"),
    "XML without declaration": ("x.gguf", b"<Error><Code>AccessDenied", "web page"),
    "JSON for weights": ("x.safetensors", b'{"error": "login"}', "message in JSON"),
    "JSON for onnx": ("x.onnx", b'{"error": "login"}', "message in JSON"),
    "pointer": ("x.safetensors", POINTER, "pointer"),
    "pointer for json": ("x.json", POINTER, "pointer"),
    "pointer for text": ("x.txt", POINTER, "pointer"),
    "empty weights": ("x.safetensors", b"", "empty"),
    "empty json": ("x.json", b"", "empty"),
    "empty picture": ("x.png", b"", "empty"),
    "broken safetensors": ("x.safetensors", safetensors()[:-1], "need 3 bytes"),
    "not gguf": ("x.gguf", b"GGML\x03\0\0\0", "gguf"),
    "gguf of the future": ("x.gguf", b"GGUF\x09\0\0\0", "gguf"),
    "not onnx": ("x.onnx", b"MZ\x90", "onnx"),
    "not a picture": ("x.png", b"\xff\xd8\xff\xe0", "png"),
    "no json": ("x.json", b"hello", "json"),
    "json with NUL": ("x.json", b"{\0", "not text"),
    "binary text": ("x.txt", b"MZ\0\0", "not text"),
    "zip": ("x.onnx_data", zipped("x.txt", b""), "archive"),
    "tar": ("x.onnx_data", tarred("x.txt"), "archive"),
}


@pytest.mark.parametrize(("name", "data", "why"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("policy", [STRICT, LAX], ids=["strict", "lax"])
def test_bytes_that_are_something_else_are_refused(
    check: Callable[..., Any], name: str, data: bytes, why: str, policy: Policy
) -> None:
    with pytest.raises(InvalidFile, match=why):
        check(data, name, policy)


@pytest.mark.parametrize("data", [PAGE, POINTER, b'{"error": 1}', b""])
def test_a_pickle_that_is_allowed_is_still_no_login_page(
    check: Callable[..., Any], data: bytes
) -> None:
    with pytest.raises(InvalidFile):
        check(data, "x.ckpt", LAX)


def pickles(canary: Path) -> dict[str, bytes]:
    made = {f"protocol {number}": pickle.dumps(Payload(canary), number) for number in range(6)}
    payload = made["protocol 2"]
    bare = payload[2:]  # without the mark of protocol 2
    packed = zipfile.ZIP_DEFLATED
    return made | {
        "no mark": bare,
        "numbers only": pickle.dumps([1, 2], 2),
        "after much padding": b"X" + struct.pack("<I", 200_000) + bytes(200_000) + b"0" + bare,
        "after a long line": b"V" + b"x" * 200_000 + b"\n0" + made["protocol 0"],
        "after another pickle": b"I1\n." + made["protocol 0"],
        "without end": b"0" * 30_000,
        "INST": b"(S'touch x'\nios\nsystem\n.",
        "torch zip": zipped("archive/data.pkl", payload),
        "upper case": zipped("archive/DATA.PKL", payload),
        "any member": zipped("deep/er/x.pickle", payload, packed),
        "numpy zip": zipped("a.npy", array("'|O'")),
        "packed numpy zip": zipped("a.npy", array("[('x', '<f4'), ('y', '|O')]"), packed),
        "numpy": array("'|O'"),
        "numpy record": array("[('x', '<f4'), ('y', 'O')]"),
        "torch tar": tarred("tensors", "pickle", "storages"),
        "tar": tarred("x", "deep/x.pkl"),
    }


@pytest.mark.parametrize("kind", pickles(Path("x")))
@pytest.mark.parametrize(
    "name", ["x.safetensors", "x.txt", "README.md", "x.gguf", "x.json", "x.onnx_data", "x.png"]
)
@pytest.mark.parametrize("policy", [STRICT, LAX], ids=["strict", "lax"])
def test_a_pickle_under_another_name_is_refused_and_never_run(
    check: Callable[..., Any], tmp_path: Path, kind: str, name: str, policy: Policy
) -> None:
    canary = tmp_path / "canary"

    with pytest.raises(InvalidFile, match="can run code when it is loaded"):
        check(pickles(canary)[kind], name, policy)

    assert not canary.exists()


def test_the_payload_of_these_tests_is_a_real_one(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    pickle.loads(pickles(canary)["after a long line"])  # noqa: S301  that is the point

    assert canary.exists()


@pytest.mark.parametrize("name", ["x.pt", "x.bin", "x.ckpt", "x.pth", "x.pkl"])
def test_a_pickle_is_looked_at_by_name_first(
    check: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    data = pickles(tmp_path / "canary")["torch zip"]

    with pytest.raises(Refused, match="DF_DOWNLOAD_ALLOW_PICKLE"):
        check(data, name)

    assert check(data, name, LAX) is None
    assert not (tmp_path / "canary").exists()


def test_an_array_of_numbers_is_no_pickle_but_no_format_of_ours(check: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match="numpy"):
        check(array("'<f4'"), "x.npy")
    with pytest.raises(InvalidFile, match="gguf"):
        check(array("'<f4'"), "x.gguf")


def test_a_zip_bomb_is_not_unpacked(check: Callable[..., Any]) -> None:
    unpacked = 50_000_000
    data = zipped("a.npy", bytes(unpacked), zipfile.ZIP_DEFLATED)

    tracemalloc.start()
    with pytest.raises(InvalidFile, match="archive"):
        check(data, "x.gguf")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < unpacked // 4  # what other threads of the run take is counted, too


def sparse(path: Path, head: bytes, tail: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(head)
        file.seek(size - len(tail))
        file.write(tail)
    return path


@pytest.mark.parametrize(
    "tail",
    [
        struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFF0, 4, 0),
        struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0),
        struct.pack("<4sLQL", b"PK\x06\x07", 0, 2**63, 1)
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0),
    ],
    ids=["a list as long as the file", "a list behind the file", "zip64 record nowhere"],
)
def test_a_lying_list_of_a_zip_costs_little(tmp_path: Path, tail: bytes) -> None:
    path = sparse(tmp_path / "x", b"PK\x03\x04", tail, 5_000_000_000)

    tracemalloc.start()
    with pytest.raises(InvalidFile, match="archive"):
        check_content(path, "x.onnx_data", STRICT)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 20_000_000


def test_the_list_of_a_long_archive_is_found(
    check: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # so that the long form is written
    data = bytearray(zipped("data.pkl", b""))
    data[-10:-2] = b"\xff" * 8  # the short form's length and place: "see the long form"

    with pytest.raises(InvalidFile, match="a zip archive with a pickle in it"):
        check(bytes(data), "x.onnx_data")


def test_an_archive_with_too_many_members_is_not_trusted(
    check: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcodes, "MOST_MEMBERS", 1)

    with pytest.raises(InvalidFile, match="too many members"):
        check(zipped("x.txt", b""), "x.onnx_data")


def test_only_a_part_of_a_long_file_is_read(tmp_path: Path) -> None:
    path = sparse(tmp_path / "x", b"GGUF\x03\0\0\0", b"\0", 5_000_000_000)

    tracemalloc.start()
    check_content(path, "x.gguf", STRICT)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2_000_000


def test_many_comments_before_a_page_cost_no_time(check: Callable[..., Any]) -> None:
    check(b"<!---->" * 580 + b"x", "x.txt")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"{}")
    (tmp_path / "link").symlink_to("real")

    with pytest.raises(UnsafeName, match="is a link"):
        check_content(tmp_path / "link", "x.json", STRICT)


def test_a_pipe_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnsafeName, match="not a regular file"):
        check_content(tmp_path / "pipe", "x.json", STRICT)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnsafeName, match="not a regular file"):
        check_content(tmp_path, "x.json", STRICT)


def test_a_file_that_is_gone_is_a_failure_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="cannot be read"):
        check_content(tmp_path / "absent", "x.json", STRICT)


def test_a_file_that_grew_over_the_limit_is_refused(check: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match="at most 5"):
        check(b'{"a": 1}', "x.json", Policy(max_file_bytes=5))


def test_a_hostile_name_is_shown_harmlessly(check: Callable[..., Any]) -> None:
    with pytest.raises(Refused) as refused:
        check(b"x", "\x1b[31m\n<script>.exe")

    assert refused.value.message.isprintable()


@pytest.mark.parametrize("name", ["x.onnx_data", "x.txt", "README.md", "x.ckpt"])
@given(
    data=st.binary(max_size=300)
    | st.lists(st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", b"PK\x01\x02", b"PK\x06\x07",
                                b"\x93NUMPY\x01\0", b"cos\n", b"system\n", b"(", b"R", b".", b"\0",
                                b"\x80\x04", b"\xff" * 8, b"ustar"]), max_size=30).map(b"".join)
)  # fmt: skip
def test_any_bytes_pass_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any-{name}"
    path.write_bytes(data)
    try:
        outcome: object = check_content(path, name, LAX)
    except InvalidFile as refused:
        outcome = refused.message

    assert outcome is None or isinstance(outcome, str)
