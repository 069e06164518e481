"""What may reach the disk: names (`names`), formats (`formats`), and bytes that are what their name
says. Nothing is loaded and nothing is unpickled here."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from typing import BinaryIO, Final

from downloader.library import formats, opcodes
from downloader.library.errors import DownloadError, InvalidFile, Refused, StoreFailed, UnsafeName
from downloader.library.formats import Format
from downloader.library.names import (
    check_together,
    file_name_from,
    safe_name,
    safe_path,
    safe_version,
)
from downloader.library.safetensors import Header, read_header

__all__ = [
    "Policy",
    "check_content",
    "check_together",
    "file_name_from",
    "refusal",
    "safe_name",
    "safe_path",
    "safe_version",
]

HEAD_BYTES: Final = 4_096

_MAGIC: Final = {
    Format.GGUF: re.compile(rb"GGUF(?:[\x01-\x03]\0\0\0|\0\0\0[\x01-\x03])"),
    # A message of protobuf begins with a field's number; these are the ones of an ONNX model.
    Format.ONNX: re.compile(rb"[\x08\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2\xca]"),
    Format.PNG: re.compile(rb"\x89PNG\r\n\x1a\n"),
    Format.JPEG: re.compile(rb"\xff\xd8\xff"),
    Format.WEBP: re.compile(rb"RIFF....WEBP", re.DOTALL),
    Format.GIF: re.compile(rb"GIF8[79]a"),
    Format.JSON: re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[\"\-0-9tfn]"),
}
_MAY_BE_EMPTY: Final = frozenset({Format.TEXT, Format.DOCUMENT})
_ARE_TEXT: Final = frozenset({Format.JSON, Format.TEXT})
_WIDE_TEXT: Final = (b"\xff\xfe", b"\xfe\xff")  # UTF-16 and UTF-32, where half the bytes are NUL

_POINTER: Final = re.compile(rb"version https?://git-lfs\.github\.com/spec/")
_PAGE: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?><!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|\?xml|error)\b",
    re.IGNORECASE | re.DOTALL,
)
_ANSWER: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[]\s*[\"{\]}]")


@dataclass(frozen=True)
class Policy:
    """What the operator allows. `None` is no limit."""

    allow_pickle: bool = False
    allow_failed_scan: bool = False
    max_file_bytes: int | None = None
    max_files: int | None = 20_000


def refusal(
    path: str, policy: Policy, *, size: int | None = None, type: str | None = None
) -> str | None:
    """Why the policy does not take a file of this name, to be read after it; None if it does."""
    if policy.max_file_bytes is not None and size is not None and size > policy.max_file_bytes:
        return f"has {size} bytes, and at most {policy.max_file_bytes} are allowed"
    return formats.refusal(path, allow_pickle=policy.allow_pickle, type=type)


def check_content(path: str | os.PathLike[str], name: str, policy: Policy) -> Header | None:
    """Look at the bytes at `path`, which shall be installed as `name`. Returns the header of a
    safetensors file.

    Refused: what the policy does not allow. InvalidFile: bytes that are not what the name says: a
    web page, an error message, an LFS pointer, a pickle in disguise, a broken header. UnsafeName: a
    link. Beside a safetensors header, only a bounded part of the file is read.
    """
    with _opened(path, name) as reader:
        size = os.fstat(reader.fileno()).st_size
        if why := refusal(name, policy, size=size):
            raise Refused(f"{_shown(name)} {why}.")
        kind = formats.format_of(name)
        head = reader.read(HEAD_BYTES)
        if why := _in_its_place(kind, head, size):
            raise InvalidFile(f"{_shown(name)} {why}.")
        if kind is Format.SAFETENSORS:
            return _safetensors(reader, size, name)
        if kind is not Format.PICKLE and (why := _disguised(reader, size)):
            raise InvalidFile(f"{_shown(name)} {why}.")
        if why := _not_its_format(kind, head):
            raise InvalidFile(f"{_shown(name)} {why}.")
    return None


def _opened(path: str | os.PathLike[str], name: str) -> BinaryIO:
    """The regular file itself: a link is not followed, a pipe does not hold us."""
    failure: DownloadError
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            failure = UnsafeName(f"{_shown(name)} is a link where a file should be.")
        else:
            failure = StoreFailed(f"{_shown(name)} cannot be read: {error.strerror}.")
    else:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
        failure = UnsafeName(f"{_shown(name)} is not a regular file.")
    raise failure


def _in_its_place(kind: Format | None, head: bytes, size: int) -> str | None:
    """What a server may have sent instead of the file."""
    if size == 0:
        return None if kind in _MAY_BE_EMPTY else "is empty"
    if _POINTER.match(head):
        return "is only a pointer to the file (git LFS), not the file"
    if kind is Format.DOCUMENT:
        return None
    if _PAGE.match(head):
        return "is a web page: an error or a login, not the file"
    if kind not in _ARE_TEXT and _ANSWER.match(head):
        return "is a message in JSON, not the file"
    return None


def _safetensors(reader: BinaryIO, size: int, name: str) -> Header:
    """The header first: the length at its start may look like a pickle's mark."""
    reader.seek(0)
    try:
        return read_header(reader, size)
    except InvalidFile as invalid:
        why = f"does not hold what it says: {invalid.message}"
    raise InvalidFile(f"{_shown(name)} {_disguised(reader, size) or why}")


def _disguised(reader: BinaryIO, size: int) -> str | None:
    """A pickle or an archive under another name; no format that is allowed looks like one."""
    if found := opcodes.found_in(reader, size):
        return f"is {found}, which can run code when it is loaded, and is named as if it were not"
    reader.seek(0)
    if opcodes.is_archive(reader.read(HEAD_BYTES)):
        return "is an archive and is not named so"
    return None


def _not_its_format(kind: Format | None, head: bytes) -> str | None:
    magic = _MAGIC.get(kind) if kind else None
    if magic is not None and not magic.match(head):
        return f"does not begin as a file of the format {kind} does"
    if kind in _ARE_TEXT and b"\0" in head and not head.startswith(_WIDE_TEXT):
        return "is not text"
    return None


def _shown(name: str) -> str:
    return repr(name if len(name) <= 120 else f"{name[:120]}...")
