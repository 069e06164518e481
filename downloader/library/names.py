"""Names that come from elsewhere, and whether they may become names on this disk.

A name is taken as it is (in Unicode's composed form) or refused: one that were changed could meet
another one, and would not be found again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

from downloader.library.errors import UnsafeName

MOST_SEGMENT_BYTES: Final = 255
MOST_PATH_BYTES: Final = 1_024
MOST_LEVELS: Final = 32
MOST_FOLDER_BYTES: Final = 120
MOST_HEADER_CHARACTERS: Final = 8_192

# The descriptors that an installed folder holds.
OURS: Final = frozenset({"model.json", ".dreamforge.json"})
# Devices of Windows, with any ending: a share may be read from there.
_DEVICES: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_DRIVE: Final = re.compile(r"[A-Za-z]:")
# Control, format (direction of writing, zero width) and half characters, separators of lines.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")  # parts of ordinary words and emoji
_NOT_IN_FOLDERS: Final = re.compile(r"[^\w.+-]+")
_PARAMETER: Final = re.compile(
    r';\s*(filename\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))', re.IGNORECASE
)


def safe_path(text: str) -> str:
    """A relative path below a folder of ours, composed (NFC); UnsafeName says what is wrong.

    Whatever is joined to the result stays in that folder, on every usual file system.
    """
    path = unicodedata.normalize("NFC", text)
    if not path:
        raise UnsafeName("A file has no name.")
    if len(path.encode("utf-8", "surrogatepass")) > MOST_PATH_BYTES:
        raise _unsafe(path, f"is longer than {MOST_PATH_BYTES} bytes")
    if path.startswith("/") or _DRIVE.match(path):
        raise _unsafe(path, "is an absolute path")
    segments = path.split("/")
    if len(segments) > MOST_LEVELS:
        raise _unsafe(path, f"has more than {MOST_LEVELS} levels")
    for segment in segments:
        if why := _wrong_with(segment):
            raise _unsafe(path, why)
    if path.casefold() in OURS:
        raise _unsafe(path, "is the name of a file that is written here")
    return path


def check_together(paths: Iterable[str]) -> None:
    """UnsafeName if two of the safe paths cannot lie side by side everywhere: equal but for case or
    Unicode form, or one a folder in which another one lies."""
    files: dict[str, str] = {}
    for path in paths:
        if other := files.get(_folded(path)):
            what = "are there twice" if other == path else "differ only in case or Unicode form"
            raise UnsafeName(
                f"{_shown(other)} and {_shown(path)} {what}. Select one of them with #."
            )
        files[_folded(path)] = path
    for path in files.values():
        for parent in list(PurePosixPath(path).parents)[:-1]:
            if other := files.get(_folded(str(parent))):
                raise UnsafeName(
                    f"{_shown(other)} is a file, and {_shown(path)} needs it to be a folder. "
                    "Select one of them with #."
                )


def file_name_from(content_disposition: str | None) -> str | None:
    """The file name that a server suggests, without folders; None if there is none to be used.

    `filename*` (RFC 5987) goes before `filename`.
    """
    if not content_disposition or len(content_disposition) > MOST_HEADER_CHARACTERS:
        return None
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(content_disposition):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
    extended = _extended(found.get("filename*", ""))
    for name in (extended, _misread(found.get("filename", ""))):
        last = re.split(r"[/\\]", name or "")[-1].strip()
        if last and _is_safe(last):
            return unicodedata.normalize("NFC", last)
    return None


def safe_name(text: str) -> str:
    """One name for a model's folder: what a folder cannot hold well becomes `-`."""
    return _folder(text, "name")


def safe_version(text: str) -> str:
    """Likewise for its version."""
    return _folder(text, "version")


def _folder(text: str, what: str) -> str:
    if re.search(r"[/\\]|\.\.", text) or _has_invisible(text):
        raise UnsafeName(f"A {what} is one name, without slashes, '..' and control characters.")
    name = _NOT_IN_FOLDERS.sub("-", unicodedata.normalize("NFKC", text))
    name = re.sub(r"-{2,}", "-", name).strip("-.")
    if not name:
        raise UnsafeName(
            f"The {what} {_shown(text)} has no letter and no digit; choose another one."
        )
    if len(name.encode()) > MOST_FOLDER_BYTES:
        raise UnsafeName(f"A {what} has at most {MOST_FOLDER_BYTES} bytes; choose a shorter one.")
    if why := _wrong_with(name):
        raise UnsafeName(f"The {what} {_shown(text)} {why}; choose another one.")
    return name


def _is_safe(name: str) -> bool:
    try:
        safe_path(name)
    except UnsafeName:
        return False
    return True


def _wrong_with(segment: str) -> str | None:
    """Why one step of a path cannot stay; None if it can."""
    read_otherwise = (unicodedata.normalize("NFKC", segment), unquote(segment))
    checks = (
        (segment in ("", ".", ".."), "has an empty step, or '.' or '..'"),
        ("\\" in segment, "has a backslash"),
        (_has_invisible(segment), "has control or invisible characters"),
        (segment.startswith("-"), "begins with '-', like an option"),
        (
            segment.endswith((".", " ")) or segment.startswith(" "),
            "begins or ends in a blank or '.'",
        ),
        (bool(_DEVICES.fullmatch(segment)), "is a device's name on Windows"),
        (len(segment.encode("utf-8", "surrogatepass")) > MOST_SEGMENT_BYTES, "is too long a name"),
        (any(map(_escapes, read_otherwise)), "can be read as a path with '..' or '/' in it"),
    )
    return next((why for wrong, why in checks if wrong), None)


def _escapes(segment: str) -> bool:
    """True for what only looks harmless: full-width dots, `%2e%2e`, and the like."""
    return segment in (".", "..") or any(mark in segment for mark in "/\\\0")


def _has_invisible(text: str) -> bool:
    return any(
        unicodedata.category(character) in _INVISIBLE and character not in _JOINERS
        for character in text
    )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())


def _extended(value: str) -> str | None:
    """`UTF-8''a%20b` of RFC 5987."""
    charset, _, rest = value.partition("'")
    _language, mark, escaped = rest.partition("'")
    if not mark or charset.lower() not in ("utf-8", "iso-8859-1"):
        return None
    try:
        return unquote(escaped, encoding=charset, errors="strict")
    except UnicodeDecodeError:
        return None


def _misread(value: str) -> str:
    """Servers put UTF-8 into headers, which are read as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value


def _unsafe(path: str, why: str) -> UnsafeName:
    return UnsafeName(f"The file name {_shown(path)} {why}.")


def _shown(text: str) -> str:
    """Quoted, with no character that a terminal or a page would act upon."""
    return repr(text if len(text) <= 120 else f"{text[:120]}...")
