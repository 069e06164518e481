"""What a source says of its files: plain values, known to what fetches as well as to what asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from downloader.library.checksums import Digest
from downloader.library.refs import Ref


@dataclass(frozen=True)
class RemoteFile:
    """A file as its source announces it. `path` may be hostile until `safety` has judged it."""

    path: str
    key: str  # what `locate` finds it by: a path in the repository, a file id
    size: int | None = None
    digest: Digest | None = None  # the strongest one the source publishes
    etag: str | None = None
    type: str = "other"  # model, config, tokenizer, weights-index, doc, other
    warnings: tuple[str, ...] = ()  # scan results and the like, for the operator's eye
    facts: Mapping[str, str] = field(default_factory=dict)  # format, precision, size class, primary


@dataclass(frozen=True)
class Resolved:
    """What a reference means right now, pinned: everything after this asks for `commit` only."""

    ref: Ref
    source_uri: str  # the pinned reference, with the commit or version id
    repo_id: str  # "author/name", or the model's id
    author: str
    title: str
    commit: str  # 40 hex digits, a version id, or a digest: what never moves
    files: tuple[RemoteFile, ...]
    name: str  # suggested for the model folder
    version: str  # suggested likewise
    revision: str | None = None  # as asked for: a branch, a tag
    kind_hint: str | None = None  # what the source says it is, in the registry's words
    licence: str | None = None
    gated: bool = False
    private: bool = False
    page: str | None = None  # for people
    notes: tuple[str, ...] = ()  # "12345 is a version, of model 678"
    metadata: Mapping[str, Any] = field(default_factory=dict)  # trigger words, base model, tags


@dataclass(frozen=True)
class Location:
    """Where bytes lie right now. `headers` go with every hop; `authorization` only as long as the
    request stays on the origin (scheme, host and port) of `url`."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = field(default=None, repr=False)
    # Hints for a body that is not the file at all; an HTML page is never one of these.
    accepts_html: bool = False
