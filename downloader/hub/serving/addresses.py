"""What a path of the hub's protocol means. Names have one or two segments and revisions may hold
slashes, which a server sees decoded, so a path has several readings: what is tracked settles it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

VERBS = ("revision", "refs", "tree", "paths-info")
RESOLVE = "resolve"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
SPECIAL = re.compile(r"(refs/(?:pr|convert)/[^/]+)(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Reading:
    """`rest`: what follows the verb, revision and path together."""

    repo_id: str
    verb: str
    rest: str


def of_api(path: str) -> list[Reading]:
    """What follows `api/models/`, as a name of two segments first."""
    segments = path.split("/")
    found = []
    for count in (2, 1):
        name, verb, rest = segments[:count], segments[count : count + 1], segments[count + 1 :]
        if _is_name(name, count) and (not verb or verb[0] in VERBS):
            found.append(Reading("/".join(name), "".join(verb), "/".join(rest)))
    return found


def of_file(path: str) -> list[Reading]:
    """What follows `/hf/` in the address of a file."""
    segments = path.split("/")
    return [
        Reading("/".join(segments[:count]), RESOLVE, "/".join(segments[count + 1 :]))
        for count in (2, 1)
        if segments[count : count + 1] == [RESOLVE] and _is_name(segments[:count], count)
    ]


def revision_and_path(rest: str, known: Collection[str]) -> tuple[str, str]:
    """`rest` in two: the longest of the `known` revisions that it begins with; else as the hub
    reads it, one segment, or three of `refs/pr/3`."""
    fitting = [name for name in known if rest == name or rest.startswith(f"{name}/")]
    if fitting:
        revision = max(fitting, key=len)
        return revision, rest[len(revision) + 1 :]
    special = SPECIAL.fullmatch(rest)
    if special:
        return special[1], special[2] or ""
    revision, _, path = rest.partition("/")
    return revision, path


def _is_name(segments: list[str], count: int) -> bool:
    return len(segments) == count and all(NAME.fullmatch(segment) for segment in segments)
