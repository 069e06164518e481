"""What a path on the hub means. Repository ids have one or two segments, revisions may hold slashes
(encoded, or bare in `refs/pr/3`), so a path is read from both ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

API_VERBS = ("revision", "tree", "refs", "paths-info", "commits")
PAGE_VERBS = ("resolve", "raw", "blob", "tree")
SPECIAL = ("pr", "convert")


@dataclass(frozen=True)
class Address:
    """`verb`: "" for the repository itself, "resolve-cache" for the second hop of a small file."""

    api: bool
    repo: str
    verb: str
    rest: tuple[str, ...]

    @property
    def revision(self) -> str:
        return "/".join(self.rest[: self._revision_segments])

    @property
    def path(self) -> str:
        return "/".join(self.rest[self._revision_segments :])

    @property
    def _revision_segments(self) -> int:
        bare = self.rest[:1] == ("refs",) and self.rest[1:2] and self.rest[1] in SPECIAL
        return 3 if bare else 1


def parse(segments: tuple[str, ...], known: Callable[[str], bool]) -> Address | None:
    """None for what is not about one repository. `known` settles `a/tree/...` between a repository
    called `a/tree` and the tree of `a`."""
    match segments:
        case ("api", "resolve-cache", "models", *rest):
            return _split(tuple(rest), known, True, None)
        case ("api", "models", _, *_):
            return _split(segments[2:], known, True, API_VERBS)
        case ("api", *_) | ("",):
            return None
    return _split(segments, known, False, PAGE_VERBS)


def _split(
    segments: tuple[str, ...],
    known: Callable[[str], bool],
    api: bool,
    verbs: tuple[str, ...] | None,
) -> Address:
    owned = len(segments) > 1 and not _is_alone(segments, known, verbs)
    count = 2 if owned else 1
    repo, rest = "/".join(segments[:count]), segments[count:]
    if verbs is None:
        return Address(api, repo, "resolve-cache", rest)
    return Address(api, repo, rest[0] if rest else "", rest[1:])


def _is_alone(
    segments: tuple[str, ...], known: Callable[[str], bool], verbs: tuple[str, ...] | None
) -> bool:
    """Whether the first segment is the whole id."""
    if known("/".join(segments[:2])):
        return False
    return known(segments[0]) or (verbs is not None and segments[1] in verbs)
