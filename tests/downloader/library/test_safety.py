"""What may reach the disk, by its name and its format."""

from __future__ import annotations

import os
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.errors import UnsafeName
from downloader.library.safety import (
    Policy,
    check_together,
    file_name_from,
    refusal,
    safe_name,
    safe_path,
    safe_version,
)

pytestmark = pytest.mark.pure

STRICT = Policy()
LAX = Policy(allow_pickle=True)


# Names of files

KEPT = [
    "model.safetensors",
    "unet/model.json",
    "a/b/c.txt",
    ".gitattributes",
    "..a",
    "a..b/c",
    "a b.txt",
    "100%.txt",
    "模型/ü.safetensors",
    "v1.0+x@y#z.bin",
    "console.txt",
    "com10.txt",
    "x" * 255,
    "/".join(["d"] * 32),
    "\U0001f468\u200d\U0001f469.png",
]
UNSAFE = {
    "": "no name",
    "/": "absolute",
    "/etc/passwd": "absolute",
    "//host/share": "absolute",
    "C:/x": "absolute",
    "c:x": "absolute",
    ".": "'..'",
    "..": "'..'",
    "../x": "'..'",
    "a/../x": "'..'",
    "a/..": "'..'",
    "a//b": "empty step",
    "a/": "empty step",
    "./a": "'.'",
    "a\\b": "backslash",
    "..\\x": "backslash",
    "a/..\\..\\x": "backslash",
    "a\0b": "control",
    "a\nb": "control",
    "a\x1b[31m": "control",
    "a\x7f": "control",
    "a\u2028b": "control",
    "a\u202egpj.exe": "control",
    "a\u200bb": "control",
    "a\udc80b": "control",
    "-rf": "begins with '-'",
    "a/--x": "begins with '-'",
    "a.": "ends in",
    "a ": "ends in",
    "a./b": "ends in",
    " a": "begins or ends",
    "...": "ends in",
    "con": "device",
    "a/NUL.txt": "device",
    "Com1": "device",
    "lpt9.safetensors": "device",
    "com¹": "device",
    "x" * 256: "too long",
    "ü" * 128: "too long",
    "/".join(["d" * 100] * 11): "longer than 1024 bytes",
    "/".join(["d"] * 33): "more than 32 levels",
    "\uff0e\uff0e": "read as a path",
    "\uff0e\uff0e/x": "read as a path",
    "\u2024\u2024": "read as a path",
    "a\uff0fb": "read as a path",
    "%2e%2e": "read as a path",
    "a%2Fb": "read as a path",
    "a%5cb": "read as a path",
    "a%00b": "read as a path",
    "model.json": "written here",
    "Model.JSON": "written here",
    ".dreamforge.json": "written here",
}


@pytest.mark.parametrize("path", KEPT)
def test_an_ordinary_path_is_kept(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(("path", "why"), UNSAFE.items(), ids=range(len(UNSAFE)))
def test_a_path_that_must_not_reach_a_disk_is_refused(path: str, why: str) -> None:
    with pytest.raises(UnsafeName, match=why) as refused:
        safe_path(path)

    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 300


def test_a_path_is_composed() -> None:
    assert safe_path("u\u0308.txt") == "ü.txt"


HOSTILE_PIECES = st.sampled_from(
    ["..", ".", "/", "\\", "a", "C:", "\0", "%2e", "%2f", "%5c", "\uff0e", "\u2024", "\u2025",
     "\uff0f", "\u2215", "-", " ", "con", "model.json", "u\u0308", "\u202e", "~", "$HOME"]
)  # fmt: skip


@given(st.lists(HOSTILE_PIECES | st.text(max_size=4), max_size=10).map("".join))
def test_a_path_that_is_kept_never_leaves_its_folder(text: str) -> None:
    try:
        path = safe_path(text)
    except UnsafeName:
        path = "refused"
    readings = [path, unquote(path), unicodedata.normalize("NFKC", path)]
    steps = [step for it in readings for step in PureWindowsPath(it).parts]

    assert ".." not in steps
    assert not any(PurePosixPath(it).is_absolute() for it in readings)
    assert not any(PureWindowsPath(it).drive for it in readings)
    assert os.path.normpath(f"/models/{path}").startswith("/models/")
    assert safe_path(path) == path


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["a", "a"], "are there twice"),
        (["a.txt", "A.TXT"], "differ only in case"),
        (["straße", "STRASSE"], "differ only in case"),
        (["ü", "u\u0308"], "differ only in case"),
        (["ﬁle", "file"], "differ only in case"),
        (["x/a", "x"], "needs it to be a folder"),
        (["x", "X/a/b"], "needs it to be a folder"),
    ],
)
def test_paths_that_cannot_lie_side_by_side_are_refused(paths: list[str], why: str) -> None:
    with pytest.raises(UnsafeName, match=why):
        check_together(paths)


def test_paths_that_can_lie_side_by_side_pass() -> None:
    check_together(["a", "b", "x/a", "x/b", "X/c", "a.txt", "aa/a"])


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, None),
        ("", None),
        ("attachment", None),
        ("attachment; filename=x.safetensors", "x.safetensors"),
        ('attachment; filename="x y.safetensors"', "x y.safetensors"),
        ('inline;filename="a\\"b;c.txt"; x=y', 'a"b;c.txt'),
        ("attachment; filename=old.bin; filename*=UTF-8''new%20%C3%BC.bin", "new ü.bin"),
        ("attachment; filename*=iso-8859-1'en'%FC.txt", "ü.txt"),
        ('attachment; FILENAME="X.txt"', "X.txt"),
        ('attachment; filename="\u00c3\u00bc.txt"', "ü.txt"),
        ("attachment; filename=old.bin; filename*=UTF-8''%ff", "old.bin"),
        ("attachment; filename=old.bin; filename*=utf-99''x", "old.bin"),
        ("attachment; filename=old.bin; filename*=UTF-8''..%2F..", "old.bin"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\dir\\\\x.bin"', "x.bin"),
        ('attachment; filename=".."', None),
        ('attachment; filename="a/"', None),
        ('attachment; filename="x\\\0.bin"', None),
        ('attachment; filename="-rf"', None),
        ('attachment; filename="model.json"', None),
        ('attachment; filename="' + "x" * 300 + '"', None),
        ('attachment; filename="' + "x" * 9_000 + '"', None),
    ],
)
def test_a_suggested_file_name_is_used_only_if_it_is_safe(
    header: str | None, name: str | None
) -> None:
    assert file_name_from(header) == name


@given(st.text(max_size=80).map("attachment; filename".__add__))
def test_no_suggested_file_name_is_a_path(header: str) -> None:
    name = file_name_from(header) or "none"

    assert safe_path(name) == name
    assert "/" not in name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Realistic Vision V6.0 (B1)", "Realistic-Vision-V6.0-B1"),
        ("  模型 v1 ", "模型-v1"),
        ("a@b#c", "a-b-c"),
        ("v1.0+fp16", "v1.0+fp16"),
        (".hidden-", "hidden"),
        ("\uff56\uff11", "v1"),
    ],
)
def test_a_folders_name_is_made_of_what_a_folder_can_hold(text: str, name: str) -> None:
    assert safe_name(text) == name
    assert safe_version(name) == name


@pytest.mark.parametrize(
    "text", ["", "...", "!!!", "../x", "a/b", "a\\b", "a..b", "a\nb", "a\u202eb", "NUL", "x" * 121]
)
def test_a_name_that_makes_no_folder_is_refused(text: str) -> None:
    with pytest.raises(UnsafeName):
        safe_name(text)


@given(st.text(max_size=150))
def test_a_folders_name_is_one_safe_step(text: str) -> None:
    try:
        name = safe_name(text)
    except UnsafeName:
        name = "refused"

    assert safe_path(f"x/{name}@1") == f"x/{name}@1"
    assert "/" not in name
    assert "@" not in name


# Formats


@pytest.mark.parametrize(
    "path",
    ["x.safetensors", "x.GGUF", "x.onnx", "x.onnx_data", "x.onnx.data", "tokenizer.model", "x.json",
     "x.safetensors.index.json", "x.txt", "x.md", "x.yaml", "x.yml", "x.png", "x.jpg", "x.webp",
     "LICENSE", "README", ".gitattributes"],
)  # fmt: skip
def test_a_harmless_format_is_allowed(path: str) -> None:
    assert refusal(path, STRICT) is None


@pytest.mark.parametrize("path", ["x.bin", "x.pt", "x.PTH", "x.ckpt", "x.pkl", "x.pickle"])
def test_a_pickle_is_allowed_only_by_the_option_that_the_refusal_names(path: str) -> None:
    why = refusal(path, STRICT)

    assert why is not None
    assert "DF_DOWNLOAD_ALLOW_PICKLE=true allows it" in why
    assert refusal(path, LAX) is None


@pytest.mark.parametrize(
    "path",
    ["x.h5", "x.keras", "x.py", "x.zip", "x.npz", "x.msgpack", "x.exe", "x", "x.safetensors."],
)
def test_other_formats_are_refused_with_a_reason_whatever_the_policy(path: str) -> None:
    assert refusal(path, LAX)


def test_a_document_may_have_any_ending() -> None:
    assert refusal("paper.h5", STRICT, type="doc") is None
    assert refusal("paper.bin", STRICT, type="doc") is not None


@pytest.mark.parametrize("path", ["README.py", "LICENSE.sh", "readme.HTML", "notice.svg"])
def test_what_can_be_run_is_no_document(path: str) -> None:
    assert refusal(path, STRICT) is not None
    assert refusal(path, STRICT, type="doc") is not None


def test_a_file_over_the_limit_is_refused() -> None:
    policy = Policy(max_file_bytes=10)

    assert refusal("x.json", policy, size=11) == "has 11 bytes, and at most 10 are allowed"
    assert refusal("x.json", policy, size=10) is None
    assert refusal("x.json", policy, size=None) is None
