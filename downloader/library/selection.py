"""Which files a selection names.

unet/config.json   the file at this path, or with this id at its source
unet/ or unet      all below this folder
config.json        the file of this name, wherever it is, if there is only one
*.safetensors      all files with such a name, at any depth
unet/*.json, **/*  paths: `*`, `?` and `[…]` stop at a slash, `**` does not
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from downloader.library.errors import NothingSelected
from downloader.library.refs import Ref
from downloader.library.remote import RemoteFile

MOST_SHOWN: Final = 8


def select(wanted: Ref | Iterable[str], files: Sequence[RemoteFile]) -> tuple[RemoteFile, ...]:
    """The files that the patterns name, in their own order, each once; all of them without a
    pattern. NothingSelected for a pattern that names none, or one name that several files have."""
    patterns = wanted.selection if isinstance(wanted, Ref) else tuple(wanted)
    if not patterns:
        return tuple(files)
    exact = _by_name(files)
    chosen = {
        id(file)
        for pattern in map(_composed, patterns)
        for file in exact.get(pattern) or _alike(pattern, files)
    }
    return tuple(file for file in files if id(file) in chosen)


def is_literal(pattern: str) -> bool:
    return not re.search(r"[*?\[]", pattern)


def _by_name(files: Sequence[RemoteFile]) -> dict[str, list[RemoteFile]]:
    found: dict[str, list[RemoteFile]] = {}
    for file in files:
        for name in {_composed(file.path), file.key}:
            found.setdefault(name, []).append(file)
    return found


def _alike(wanted: str, files: Sequence[RemoteFile]) -> Sequence[RemoteFile]:
    found = _below(wanted, files) or _matching(wanted, files)
    if not found:
        raise NothingSelected(f"No file is {_shown(wanted)}. {_offer(wanted, files)}")
    return found


def _below(folder: str, files: Sequence[RemoteFile]) -> Sequence[RemoteFile]:
    start = f"{folder.rstrip('/')}/"
    return [file for file in files if _composed(file.path).startswith(start)]


def _matching(wanted: str, files: Sequence[RemoteFile]) -> Sequence[RemoteFile]:
    deep = wanted if "/" in wanted else f"**/{wanted}"
    pattern = f"{deep}**" if deep.endswith("/") else deep
    found = [file for file in files if _matches(pattern.split("/"), _composed(file.path))]
    if len(found) > 1 and is_literal(wanted):
        raise NothingSelected(
            f"{len(found)} files are called {_shown(wanted)}; say which: {_listed(found)}"
        )
    return found


def _matches(pattern: Sequence[str], path: str) -> bool:
    """Step by step, with all the places in the pattern where one may be: no backtracking."""
    places = _with_skips({0}, pattern)
    for step in path.split("/"):
        after = set()
        for place in places - {len(pattern)}:
            if pattern[place] == "**":
                after.add(place)
            elif fnmatchcase(step, pattern[place]):
                after.add(place + 1)
        places = _with_skips(after, pattern)
    return len(pattern) in places


def _with_skips(places: set[int], pattern: Sequence[str]) -> set[int]:
    """`**` may stand for no step at all."""
    reached = set(places)
    for place, step in enumerate(pattern):
        if place in reached and step == "**":
            reached.add(place + 1)
    return reached


def _offer(wanted: str, files: Sequence[RemoteFile]) -> str:
    by_path = {file.path: file for file in files}
    near = difflib.get_close_matches(wanted, list(by_path)[:2_000], n=3, cutoff=0.5)
    if near:
        return f"Near to it: {_listed([by_path[path] for path in near])}"
    return f"There are: {_listed(files)}" if files else "There are no files at all."


def _listed(files: Sequence[RemoteFile]) -> str:
    shown = ", ".join(_shown(file.path) for file in files[:MOST_SHOWN])
    more = len(files) - MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 120 else f"{text[:120]}...")
