"""The formats that may be installed, by the endings of names, and why others may not."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from downloader.library.sources.filetypes import type_of


class Format(StrEnum):
    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    ONNX = "onnx"
    SENTENCEPIECE = "sentencepiece"
    RAW = "raw"  # numbers with no header, as ONNX keeps beside itself
    JSON = "json"
    TEXT = "text"
    DOCUMENT = "document"  # for people only
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    GIF = "gif"
    PICKLE = "pickle"


ENDINGS: Final = {
    ".safetensors": Format.SAFETENSORS,
    ".gguf": Format.GGUF,
    ".onnx": Format.ONNX,
    ".onnx_data": Format.RAW,
    ".model": Format.SENTENCEPIECE,
    ".json": Format.JSON,
    ".jsonl": Format.TEXT,
    ".txt": Format.TEXT,
    ".yaml": Format.TEXT,
    ".yml": Format.TEXT,
    ".toml": Format.TEXT,
    ".csv": Format.TEXT,
    ".jinja": Format.TEXT,
    ".md": Format.DOCUMENT,
    ".png": Format.PNG,
    ".jpg": Format.JPEG,
    ".jpeg": Format.JPEG,
    ".webp": Format.WEBP,
    ".gif": Format.GIF,
    ".bin": Format.PICKLE,
    ".pt": Format.PICKLE,
    ".pth": Format.PICKLE,
    ".ckpt": Format.PICKLE,
    ".pkl": Format.PICKLE,
    ".pickle": Format.PICKLE,
}
REASONS: Final = {
    ".py": "is program code, which is never installed",
    ".h5": "is of Keras, a format that is not used here and may hold code",
    ".keras": "is of Keras, a format that is not used here and may hold code",
    ".msgpack": "is of Flax, a format that is not used here",
    ".ot": "is of rust-bert, a format that is not used here",
    ".zip": "is an archive; archives are not unpacked",
    ".tar": "is an archive; archives are not unpacked",
    ".gz": "is an archive; archives are not unpacked",
    ".7z": "is an archive; archives are not unpacked",
    ".rar": "is an archive; archives are not unpacked",
    ".npy": "is of numpy, a format that is not used here and may hold code",
    ".npz": "is of numpy, a format that is not used here and may hold code",
}
# What a machine or a browser runs is no document, whatever it is called.
RUN: Final = frozenset(
    {".py", ".sh", ".bat", ".ps1", ".so", ".dll", ".exe", ".js", ".htm", ".html", ".svg"}
)
ALLOW_PICKLE: Final = "DF_DOWNLOAD_ALLOW_PICKLE"


def format_of(path: str, type: str | None = None) -> Format | None:
    """What the name promises; `type` is the source's word for what the file is for."""
    name = PurePosixPath(path).name.casefold()
    ending = ".onnx_data" if name.endswith(".onnx.data") else PurePosixPath(name).suffix
    known = ENDINGS.get(ending)
    if known is None and ending not in RUN and (type or type_of(path)) == "doc":
        return Format.DOCUMENT
    return known


def refusal(path: str, *, allow_pickle: bool, type: str | None = None) -> str | None:
    """Why a file of this name may not be installed; None if it may."""
    found = format_of(path, type)
    if found is Format.PICKLE and not allow_pickle:
        return f"is a pickle, which can run code when it is loaded; {ALLOW_PICKLE}=true allows it"
    if found is not None:
        return None
    ending = PurePosixPath(path).suffix.casefold()
    return REASONS.get(ending, "is of a format that is not known here")
