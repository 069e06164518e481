"""Addresses as people paste them from a browser: a page of a hub, a link to one of its files.

Queries and fragments of pages are dropped, but for those that name a version or a file. User names,
passwords and tokens in an address are dropped, too, and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from downloader.library.wording import Wrong, decoded

HOSTS: Final[Mapping[str, frozenset[str]]] = {
    "hf": frozenset({"huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co"}),
    "civitai": frozenset(
        f"{www}{name}"
        for www in ("", "www.")
        for name in ("civitai.com", "civitai.green", "civitai.red")
    ),
}
USUAL_PORTS: Final = frozenset({None, 80, 443})

OF_A_FILE: Final = frozenset({"blob", "resolve", "raw", "blame", "edit"})
OF_A_REVISION: Final = OF_A_FILE | {"tree", "commit", "commits", "revision"}
OF_A_REPO: Final = OF_A_REVISION | {"discussions", "settings", "community"}
SLASHED: Final = frozenset({"pr", "convert", "heads", "tags"})  # refs/<this>/<name>
NOT_MODELS: Final = {
    "datasets": "a dataset",
    "spaces": "a space",
    "collections": "a collection",
    "papers": "a paper",
    "docs": "documentation",
    "blog": "a blog post",
    "models": "a list of models",
    "organizations": "an organization",
    "settings": "a settings page",
    "tasks": "a task",
    "posts": "a post",
    "api": "the hub's API",
    "buckets": "a bucket",
    "kernels": "a kernel",
    "login": "the login page",
    "join": "the registration page",
}
UNESCAPED: Final = "%/:@!$&'()*+,;=~-._"
FILE_CHOICES: Final = ("type", "format", "size", "fp")  # in CivitAI's download addresses


@dataclass(frozen=True)
class Page:
    scheme: str
    target: str
    revision: str | None = None
    selection: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Hub:
    """Where a hub's pages are: its host and what stands before every path."""

    scheme: str
    prefix: str = ""


def read(text: str, endpoints: Mapping[str, str]) -> Page | None:
    """The page that an address names; None when it is not an address of a hub."""
    address = _split(text)
    if address is None or not (hub := _hub_of(address, endpoints)):
        return None
    path = address.path.removeprefix(hub.prefix)
    steps = [step for step in path.split("/") if step]
    if hub.scheme == "hf":
        return _hf(steps)
    return _civitai([decoded(step) for step in steps], _query(address.query))


def plain_address(text: str) -> str:
    """An https address of a file, in canonical form."""
    address = _split(text)
    if address is None or not address.hostname or not address.hostname.isascii():
        raise Wrong("This is not an address with a host and a path.")
    if address.username is not None or address.password is not None:
        raise Wrong("An address with a user name or a password in it is not taken.")
    if address.query or address.fragment:
        raise Wrong(
            "An address is recorded with the model, so it takes no query and no fragment: they may "
            "hold a signature or a token.",
        )
    if address.path in ("", "/"):
        raise Wrong("The address names no file.")
    host = address.netloc.lower()
    # Already escaped or not, the result is the same.
    return f"{address.scheme}://{host}{quote(address.path, safe=UNESCAPED)}"


def _split(text: str) -> SplitResult | None:
    """The parts of an address, also of one whose `https://` was left out; None if it is none."""
    if not re.match(r"https?://", text, re.IGNORECASE):
        if not re.match(r"[\w.-]+\.\w+(?::\d+)?(?:/|$)|[\w.-]+:\d+/", text):
            return None
        text = f"https://{text}"
    try:
        address = urlsplit(text)
        _ = address.port
    except ValueError:
        return None
    return address


def _hub_of(address: SplitResult, endpoints: Mapping[str, str]) -> _Hub | None:
    host = (address.hostname or "").removesuffix(".")
    for scheme, endpoint in endpoints.items():
        ours = urlsplit(endpoint)
        prefix = ours.path.rstrip("/")
        same_place = (host, _port(address)) == (ours.hostname, _port(ours))
        if same_place and f"{address.path}/".startswith(f"{prefix}/"):
            return _Hub(scheme, prefix)
    if address.port not in USUAL_PORTS:
        return None
    return next((_Hub(scheme) for scheme, hosts in HOSTS.items() if host in hosts), None)


def _port(address: SplitResult) -> int:
    return address.port or (443 if address.scheme.lower() == "https" else 80)


# Hugging Face


def _hf(steps: Sequence[str]) -> Page:
    if list(steps[:2]) == ["api", "models"]:
        steps = steps[2:]
    if not steps:
        raise Wrong("The address is the hub's front page, not a model's.")
    if what := NOT_MODELS.get(steps[0].lower()):
        raise Wrong(f"The address is {what}, not a model's page; only models can be installed.")
    repo, rest = _repo(steps)
    target = "/".join(decoded(step) for step in repo)
    if not rest or (rest[0] in OF_A_REPO and (rest[0] not in OF_A_REVISION or len(rest) == 1)):
        return Page("hf", target)
    if rest[0] not in OF_A_REVISION:
        raise Wrong("The address is not a page of a model or of its files.", f"hf:{target}")
    revision, path = _revision(rest[1:])
    return Page("hf", target, revision, _selected(rest[0], path))


def _repo(steps: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Old repositories have no author: there the page's word comes second."""
    ownerless = len(steps) > 2 and steps[1] in OF_A_REPO
    length = 1 if ownerless else 2
    return steps[:length], steps[length:]


def _revision(steps: Sequence[str]) -> tuple[str, str]:
    """The revision, and the path below it. A slash in a branch's name is %2F, in an address that
    the hub made; people also write `refs/pr/3` as it is."""
    length = 3 if steps[0] == "refs" and len(steps) > 2 and steps[1] in SLASHED else 1
    revision = "/".join(decoded(step) for step in steps[:length])
    return revision, "/".join(decoded(step) for step in steps[length:])


def _selected(word: str, path: str) -> tuple[str, ...]:
    if not path:
        return ()
    if word in OF_A_FILE:
        return (path,)
    return (f"{path}/",) if word == "tree" else ()


# CivitAI


def _civitai(steps: Sequence[str], query: Mapping[str, str]) -> Page:
    match list(steps):
        case ["api", "download", "models", version]:
            return Page("civitai", "", version, _chosen(query))
        case ["api", "v1", "model-versions", version] | ["model-versions", version, *_]:
            return Page("civitai", "", version)
        case ["api", "v1", "models", model] | ["models", model, *_]:
            return Page("civitai", model, query.get("modelVersionId") or None)
    raise Wrong(
        "The address is not a model's page of CivitAI.",
        "https://civitai.com/models/<model id>?modelVersionId=<version id>",
    )


def _chosen(query: Mapping[str, str]) -> tuple[str, ...]:
    """The file that a download address asks for."""
    if file := query.get("fileId"):
        return (file,)
    facts = [f"{name}={query[name]}" for name in FILE_CHOICES if query.get(name)]
    return ("+".join(facts),) if facts else ()


def _query(text: str) -> dict[str, str]:
    try:
        fields = parse_qs(text, max_num_fields=50, errors="strict")
    except (ValueError, UnicodeDecodeError):
        fields = None
    if fields is None:
        raise Wrong("The part after the ? of the address cannot be read.")
    return {name: values[-1] for name, values in fields.items()}
