"""What cannot be served, in the hub's own form: a status, `X-Error-Code`, and `{"error": …}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BAD_CREDENTIALS = "Invalid credentials in Authorization header"  # clients compare these words
LONGEST_NAME = 200


@dataclass
class Refused(Exception):
    """`words` is for people; `header` where clients look for other words than those."""

    status: int
    words: str
    code: str = ""
    header: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def translated(
    status: int, envelope: Mapping[str, Any], headers: Mapping[str, str]
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """An error of whichever layer, below `/hf` (settings.ERROR_DIALECTS)."""
    words = str(envelope["message"])
    return status, {"error": words}, {**headers, "X-Error-Message": one_line(words)}


def one_line(words: str) -> str:
    """A header holds one line of ASCII."""
    return "".join(mark if " " <= mark <= "~" else "?" for mark in words)


def no_repository(repo_id: str, why: str = "") -> Refused:
    told = why or (
        f"No files of {_short(repo_id)} are mirrored here; "
        "`POST /v1/hub/register` and `/v1/hub/sync` track it."
    )
    return Refused(404, told, "RepoNotFound", "Repository not found")


def no_revision(repo_id: str, revision: str) -> Refused:
    words = f"Invalid rev id: {_short(revision)}"
    told = f"{words}; {repo_id} is not tracked at it here."
    return Refused(404, told, "RevisionNotFound", words)


def no_entry(path: str, commit: str, why: str) -> Refused:
    told = f"Entry not found: {_short(path)} {why}"
    return Refused(404, told, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})


def unreadable() -> Refused:
    told = "Nothing has a name with a NUL in it."
    return Refused(404, told, "EntryNotFound", "Entry not found")


def unfit(path: str) -> Refused:
    """The store has lost or changed the bytes."""
    return Refused(
        500,
        f"The bytes of {_short(path)} are not what the mirror verified; none of them are sent. "
        "Its operator can download the file again with `force`.",
    )


def unreachable() -> Refused:
    return Refused(503, "The models folder cannot be read just now.", headers={"Retry-After": "5"})


def still_coming(what: str) -> Refused:
    told = f"{what} is still being fetched from the source; ask again."
    return Refused(503, told, headers={"Retry-After": "5"})


def upstream(words: str) -> Refused:
    return Refused(502, words)


def bad_request(words: str) -> Refused:
    return Refused(400, words)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
