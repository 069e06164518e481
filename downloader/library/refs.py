"""References: where a model is, in one line of text.

    hf:<author>/<name>[@<revision>][#<file or pattern>,…]
    civitai:<model id | version id | slug | page address>[@<version id>][#<file id or pattern>,…]
    file:<absolute path>[#<pattern>,…]
    https://<host>/<path>
    <plug-in>:<target>[@<revision>][#<file or pattern>,…]

`%40`, `%23`, `%2C` and `%25` stand for `@`, `#`, `,` and `%` inside a part. Addresses pasted from a
browser are read too (`pages`). `parse(str(ref)) == ref` for every reference that `parse` returns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from downloader.library import pages, wording
from downloader.library.errors import InvalidRef
from downloader.library.wording import SCHEMES, Wrong, decoded, encoded

__all__ = ["SCHEMES", "Ref", "parse"]

MOST_CHARACTERS: Final = 8_000
MOST_PATTERNS: Final = 200
LARGEST_ID: Final = 2**31 - 1  # CivitAI answers 400 to a greater one

_SCHEMED: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_REPO_PART: Final = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?", re.A)
# As git has it: no "..", no "@{", no part that begins with a dot or ends in ".lock".
_REVISION: Final = re.compile(
    r"(?![-/.])(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)|[/.]$))[^\s~^:?*\[\\]{1,255}"
)
NO_AUTHOR: Final = "_"  # the folder of repositories whose name has one part
_SLUG: Final = re.compile(r"\w[\w.-]{0,199}")


@dataclass(frozen=True)
class Ref:
    """A parsed reference. `text` is what was given, for people; it never holds a token.

    hf: target `author/name` or `name`. civitai: target a model (or version) id, a slug, or "" when
    only `revision`, a version id, is known. file: an absolute path. https: the whole address.
    """

    scheme: str
    target: str
    revision: str | None = None
    selection: tuple[str, ...] = ()
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        """The canonical form."""
        if self.scheme in ("http", "https"):
            return self.target
        unsplit = "%#" if self.scheme == "file" else "%@#"
        text = f"{self.scheme}:{encoded(self.target, unsplit)}"
        if self.revision is not None:
            text += f"@{encoded(self.revision, '%#')}"
        if self.selection:
            text += f"#{','.join(encoded(part, '%#,') for part in self.selection)}"
        return text


def parse(
    text: str, schemes: Iterable[str] = SCHEMES, endpoints: Mapping[str, str] | None = None
) -> Ref:
    """Read a reference or a pasted address; InvalidRef shows the nearest right form and all forms.

    `schemes`: what may be asked for, plug-ins included. `endpoints`: the addresses of hubs of one's
    own by scheme (`hf`, `civitai`), whose pages are then read like the public ones.
    """
    allowed = tuple(schemes)
    try:
        return _without_secrets(_read(_checked(text), allowed, endpoints or {}))
    except Wrong as wrong:
        why, hint = wrong.why, wrong.hint or wording.nearest(text, allowed)
    # Raised out here: what led to it is not chained, for it may have held what must not be shown.
    raise InvalidRef(wording.explained(why, hint, allowed))


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise Wrong("A reference is a text.")
    if len(text) > MOST_CHARACTERS:
        raise Wrong(f"A reference has at most {MOST_CHARACTERS} characters, not {len(text)}.")
    if not text.strip():
        raise Wrong("The reference is empty.")
    return wording.printable(text.strip())


def _read(text: str, allowed: tuple[str, ...], endpoints: Mapping[str, str]) -> Ref:
    if page := pages.read(text, endpoints):
        ref = _from_page(page, allowed)
        return replace(ref, text=str(ref))
    matched = _SCHEMED.fullmatch(text)
    if matched is None:
        raise Wrong(f"{wording.shown(text)} does not say where it is: no source stands before it.")
    scheme, rest = matched[1].lower(), matched[2]
    if scheme not in allowed:
        raise Wrong(f"{wording.shown(scheme)} is not a source that is allowed here.")
    pasted = _prefixed_page(scheme, rest, allowed, endpoints) if scheme in pages.HOSTS else None
    if pasted is not None:
        return replace(pasted, text=str(pasted))
    read = _READERS.get(scheme, _other)
    return replace(read(scheme, rest), text=text)


# Pasted addresses


def _from_page(page: pages.Page, allowed: tuple[str, ...]) -> Ref:
    if page.scheme not in allowed:
        raise Wrong(f"The address belongs to {page.scheme}:, a source that is not allowed here.")
    ref = Ref(page.scheme, page.target, page.revision, page.selection)
    return _civitai_checked(ref) if page.scheme == "civitai" else _hf_checked(ref)


def _prefixed_page(
    scheme: str, rest: str, allowed: tuple[str, ...], endpoints: Mapping[str, str]
) -> Ref | None:
    """`civitai:https://civitai.com/models/1@2#3`: here `@` and `#` are ours, not the page's."""
    address, mark, tail = rest.partition("#")
    versioned = re.fullmatch(r"(.*[^/])@(\d+)", address) if scheme == "civitai" else None
    page = pages.read(versioned[1] if versioned else address, endpoints)
    if page is None:
        if "://" in address:
            raise Wrong(f"The address after {scheme}: is not one of that hub's.")
        return None
    if page.scheme != scheme:
        raise Wrong(f"The address after {scheme}: belongs to {page.scheme}:.")
    ref = _from_page(page, allowed)
    if versioned and ref.revision not in (None, versioned[2]):
        raise Wrong(f"The page says version {ref.revision}, and @{versioned[2]} another one.")
    if versioned:
        ref = _civitai_checked(replace(ref, revision=versioned[2]))
    return replace(ref, selection=_selection(tail)) if mark else ref


# One reader for each scheme


def _parts(rest: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Target, revision and selection of `target[@revision][#selection]`."""
    before, mark, tail = rest.partition("#")
    target, at, revision = before.partition("@")
    if at and not revision:
        raise Wrong("Nothing follows the @.")
    return (
        decoded(target.strip()),
        decoded(revision.strip()) if at else None,
        _selection(tail) if mark else (),
    )


def _selection(tail: str) -> tuple[str, ...]:
    if "#" in tail:
        raise Wrong("A reference has one #; several files are written #a,b, a # in a name %23.")
    patterns = [decoded(part.strip()) for part in tail.split(",")]
    if not all(patterns):
        raise Wrong("A file or pattern after the # is empty.")
    if len(patterns) > MOST_PATTERNS:
        raise Wrong(f"At most {MOST_PATTERNS} files or patterns can follow the #.")
    return tuple(dict.fromkeys(patterns))


def _hf(scheme: str, rest: str) -> Ref:
    return _hf_checked(Ref(scheme, *_parts(rest)))


def _hf_checked(ref: Ref) -> Ref:
    parts = ref.target.split("/")
    if len(parts) > 2 and all(map(_REPO_PART.fullmatch, parts[:2])):
        hint = f"hf:{'/'.join(parts[:2])}#{encoded('/'.join(parts[2:]), '%#,')}"
        raise Wrong("A repository is <author>/<name>; a file in it follows a #.", hint)
    if len(parts) > 2 or not all(map(_REPO_PART.fullmatch, parts)) or ref.target.endswith(".git"):
        raise Wrong(f"{wording.shown(ref.target)} is not the name of a repository.")
    if parts[0] == NO_AUTHOR and len(parts) == 2:
        told = f"No author is called {NO_AUTHOR}; repositories without one lie in that folder."
        raise Wrong(told, f"hf:{parts[1]}")
    if ref.revision is not None and not _REVISION.fullmatch(ref.revision):
        raise Wrong("What follows the @ is not a branch, a tag or a commit.")
    return ref


def _civitai(scheme: str, rest: str) -> Ref:
    return _civitai_checked(Ref(scheme, *_parts(rest)))


def _civitai_checked(ref: Ref) -> Ref:
    if not ref.target and ref.revision is None:
        raise Wrong("civitai: needs a model or a version.", "civitai:<model id>")
    if ref.target and not (_is_id(ref.target) or _SLUG.fullmatch(ref.target)):
        raise Wrong(f"{wording.shown(ref.target)} is not a model id, a slug or a page address.")
    if ref.target.isdecimal() and not _is_id(ref.target):
        raise Wrong(f"A model id is a number from 1 to {LARGEST_ID}.")
    if ref.revision is not None and not _is_id(ref.revision):
        raise Wrong(f"A version id is a number from 1 to {LARGEST_ID}.")
    return ref


def _is_id(text: str) -> bool:
    return bool(re.fullmatch(r"[1-9][0-9]{0,9}", text)) and int(text) <= LARGEST_ID


def _file(scheme: str, rest: str) -> Ref:
    before, mark, tail = rest.partition("#")
    path = decoded(before.strip())
    if path.startswith("//"):
        path = "/" + path.removeprefix("//").removeprefix("localhost").lstrip("/")
    if not path.startswith("/"):
        raise Wrong("file: takes an absolute path.", "file:/folder/model.safetensors")
    steps = [step for step in path.split("/") if step not in ("", ".")]
    if ".." in steps:
        raise Wrong("The path of file: has no '..' in it.")
    return Ref(scheme, "/" + "/".join(steps), None, _selection(tail) if mark else ())


def _web(scheme: str, rest: str) -> Ref:
    return Ref(scheme, pages.plain_address(f"{scheme}:{rest}"))


def _other(scheme: str, rest: str) -> Ref:
    """A plug-in's: what its target means is the plug-in's business."""
    ref = Ref(scheme, *_parts(rest))
    if not ref.target:
        raise Wrong(f"Nothing follows {scheme}:.")
    return ref


_READERS: Final[Mapping[str, Callable[[str, str], Ref]]] = {
    "hf": _hf,
    "civitai": _civitai,
    "file": _file,
    "https": _web,
    "http": _web,
}


def _without_secrets(ref: Ref) -> Ref:
    if wording.holds_secret(str(ref)):
        raise Wrong("The reference holds a token. Tokens belong in the settings; replace this one.")
    return ref
