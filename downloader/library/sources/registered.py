"""Which sources there are: the built-in ones from a table, others from installed distributions
through the entry point group `dreamforge.sources`, whose names are schemes.

Only what the operator allows is imported. A source that cannot be loaded says why when somebody
asks for it; the others work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from downloader.library.errors import DownloadError, Refused
from downloader.library.http import Client
from downloader.library.sources.base import Source

GROUP = "dreamforge.sources"
BUILT_IN: Mapping[str, str] = {
    "hf": "downloader.library.sources.huggingface:HuggingFace",
    "civitai": "downloader.library.sources.civitai:CivitAI",
    "file": "downloader.library.sources.local:LocalFiles",
    "https": "downloader.library.sources.web:WebFile",
}
DEFAULT = ("hf", "civitai")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,31}")


def make(
    scheme: str,
    client: Client,
    *,
    allowed: Iterable[str] = DEFAULT,
    settings: Mapping[str, str] | None = None,
) -> Source:
    """The source of `scheme`; Refused if it is not allowed, or is a plug-in that does not work."""
    permitted = tuple(allowed)
    if scheme not in permitted:
        raise Refused(
            f"The source {scheme}: is not allowed here. DF_DOWNLOAD_SOURCES allows: "
            f"{', '.join(permitted) or 'none'}."
        )
    try:
        return _made(_load(scheme, _points(scheme)), client, settings or {})
    except _Broken as error:
        failure = Refused(f"The source {scheme}: cannot be used: {error}")
    raise failure


def broken(allowed: Iterable[str] = DEFAULT) -> Mapping[str, str]:
    """Which of the allowed schemes have no source that loads, and why: for start-up checks."""
    found: dict[str, str] = {}
    for scheme in dict.fromkeys(allowed):
        try:
            _load(scheme, _points(scheme))
        except _Broken as error:
            found[scheme] = str(error)
    return found


class _Broken(Exception):
    """Why a source cannot be used, for the operator."""


def _points(scheme: str) -> list[EntryPoint]:
    """The entry points of a scheme. A package that is seen twice on the path counts once."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP, name=scheme):
        found.setdefault(point.value, point)
    return list(found.values())


def _load(scheme: str, points: list[EntryPoint]) -> type[Source]:
    if scheme in BUILT_IN:  # a plug-in of this name would see the tokens of the built-in source
        module, _, name = BUILT_IN[scheme].partition(":")
        return getattr(import_module(module), name)  # type: ignore[no-any-return]
    if not SCHEME.fullmatch(scheme):
        raise _Broken("a scheme is lower-case letters, digits, '+', '.' and '-'.")
    if not points:
        raise _Broken(f"no installed package has an entry point {scheme!r} in {GROUP!r}.")
    if len(points) > 1:
        raise _Broken("several packages have it: " + ", ".join(map(_origin, points)) + ".")
    return _checked(scheme, points[0])


def _checked(scheme: str, point: EntryPoint) -> type[Source]:
    try:
        loaded = point.load()
    except Exception as error:  # whatever a plug-in does while it is imported
        raise _Broken(f"{_origin(point)} failed to load: {type(error).__name__}.") from error
    if not isinstance(loaded, type) or not issubclass(loaded, Source):
        raise _Broken(f"{_origin(point)} is not a class that derives from Source.")
    missing = sorted(loaded.__abstractmethods__)
    if missing:
        raise _Broken(f"{_origin(point)} does not say how to: {', '.join(missing)}.")
    if getattr(loaded, "scheme", None) != scheme:
        raise _Broken(f"{_origin(point)} is registered as {scheme!r} but has another `scheme`.")
    return loaded


def _made(loaded: type[Source], client: Client, settings: Mapping[str, str]) -> Source:
    try:
        return loaded(client, settings)
    except DownloadError:
        raise
    except Exception as error:
        raise _Broken(f"it failed to start: {type(error).__name__}.") from error


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unnamed package"
    return f"{point.value} of {package}"
