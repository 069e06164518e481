"""The words of references: escapes, and messages that show the grammar and never a secret."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

SCHEMES: Final = ("hf", "civitai", "file", "https")
FORMS: Final = {
    "hf": "hf:<author>/<name>[@<revision>][#<file or pattern>,...]",
    "civitai": "civitai:<model id, version id, slug or page address>[@<version id>]"
    "[#<file id or pattern>,...]",
    "file": "file:/<absolute path>[#<pattern>,...]",
    "https": "https://<host>/<path of a file>",
    "http": "http://<host>/<path of a file>",
}
ALIASES: Final = {"huggingface": "hf", "hugging-face": "hf", "hub": "hf", "civit": "civitai"}
SHOWN_CHARACTERS: Final = 80

_SECRET: Final = re.compile(
    r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}"
    r"|[?&;](?:[\w-]*token|api[_-]?key|key|password|sig|signature|x-amz-[a-z-]+)=",
    re.IGNORECASE,
)
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_REPO: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class Wrong(Exception):
    """Why a text is no reference, and the right form if there is a near one. Neither holds a
    secret."""

    def __init__(self, why: str, hint: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def printable(text: str) -> str:
    """The text, or Wrong if it holds control characters or half characters."""
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise Wrong("A reference holds no control characters and no line breaks.")
    return text


def decoded(part: str) -> str:
    """With `%40` and the like replaced; a `%` that begins no such thing stays."""
    try:
        text = unquote(part, errors="strict")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise Wrong("What the % signs stand for is not UTF-8. A % itself is written %25.")
    return printable(text)


def encoded(part: str, marks: str) -> str:
    """The inverse of `decoded`, where `marks` would be misread."""
    return "".join(
        quote(character, safe="") if character in marks or character.isspace() else character
        for character in part
    )


def holds_secret(text: str) -> bool:
    return bool(_SECRET.search(text))


def shown(text: str) -> str:
    """Quoted for a message: short, printable, and only up to where a secret may begin."""
    text = re.split(r"[?:]|//", _SECRET.split(text)[0])[0]
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...")


def explained(why: str, hint: str | None, schemes: Iterable[str]) -> str:
    """Why, the nearest right form, and all forms there are."""
    forms = "\n".join(
        f"  {FORMS.get(scheme, f'{scheme}:<target>[@<revision>][#<pattern>,...]')}"
        for scheme in schemes
    )
    meant = f" Did you mean {hint} ?" if hint else ""
    return f"{why}{meant}\nA reference is one of:\n{forms}"


def nearest(text: object, schemes: Iterable[str]) -> str | None:
    """A right form near to `text`, out of what can be told safely."""
    known = tuple(schemes)
    if not isinstance(text, str) or len(text) > SHOWN_CHARACTERS * 4 or holds_secret(text):
        return None
    hint = _without_scheme(text.strip()) or _other_scheme(text.strip(), known)
    if hint is None or hint.partition(":")[0] not in known:
        return None
    # Only what reads like a plain reference: no address, whose parts may be secret.
    plain = hint.isprintable() and not re.search(r"[?\\]|//|:.*:", hint)
    return hint if plain else None


def _without_scheme(text: str) -> str | None:
    name = re.split("[@#]", text)[0]
    if name.isdecimal():
        return f"civitai:{text}"
    if _REPO.fullmatch(name):
        return f"hf:{text}"
    return f"file:{text}" if text.startswith("/") and len(text) > 1 else None


def _other_scheme(text: str, known: tuple[str, ...]) -> str | None:
    scheme, mark, rest = text.partition(":")
    rest = rest.removeprefix("//")
    if not mark or "@" in rest.partition("/")[0]:  # may be user:password@host
        return None
    near = difflib.get_close_matches(scheme.lower(), known, n=1, cutoff=0.6)
    meant = ALIASES.get(scheme.lower()) or (near[0] if near else None)
    if meant == "hf" and rest.count("/") > 1 and "#" not in rest:
        author, name, *path = rest.split("/")
        return f"hf:{author}/{name}#{'/'.join(path)}"
    if meant in ("hf", "civitai") and (scheme.lower() != meant or text.startswith(f"{meant}://")):
        return f"{meant}:{rest}"
    return None
