"""The one interface of all sources, and the values that pass through it.

A source is one class registered under the entry point group `dreamforge.sources`; its name there is
the scheme of its references. It answers four questions: what is this (`resolve`), where do its
bytes come from (`locate`, used by `fetch`), are they right (`verify`), and what shall the registry
write down (`to_model_descriptor`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from downloader.library.checksums import Computed, Digest, Trust, judge

if TYPE_CHECKING:
    from downloader.library.http import Client
    from downloader.library.refs import Ref
    from downloader.library.transfer import Engine, Fetched, Target
    from downloader.library.watch import Control, Observer
    from registry.descriptors import Descriptor


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


@dataclass(frozen=True)
class Account:
    """Whose token it is, and what it may do, in the source's own words."""

    name: str
    scope: str


class Source(ABC):
    scheme: ClassVar[str]
    label: ClassVar[str]  # for people: "Hugging Face"

    def __init__(self, client: Client, settings: Mapping[str, str]) -> None:
        """`settings`: `endpoint`, `token` and whatever else the operator configured for it."""
        self.client = client
        self.settings = settings

    @abstractmethod
    def resolve(self, ref: Ref, control: Control) -> Resolved:
        """Ask the source; pin the revision first. Lists every file, whatever the selection."""

    @abstractmethod
    def locate(self, resolved: Resolved, file: RemoteFile) -> Location:
        """Where to get `file` now. Asked again when a signed address has expired."""

    def fetch(
        self,
        engine: Engine,
        resolved: Resolved,
        targets: Mapping[str, Target],
        control: Control,
        observer: Observer,
    ) -> Mapping[str, Fetched]:
        """Bring the bytes of the files that `targets` names by path; usually the engine does."""
        files = {file.path: file for file in resolved.files}
        return engine.fetch(
            {path: (files[path], target) for path, target in targets.items()},
            lambda file: self.locate(resolved, file),
            control,
            observer,
        )

    def verify(self, file: RemoteFile, computed: Computed) -> Trust:
        """Whether the bytes are those the source announced."""
        return judge(file.digest, computed)

    def account(self, control: Control) -> Account | None:
        """Whose token is configured, asked of the source; AccessNeeded when it does not take the
        token. None: this source knows no tokens, or none is set."""
        return None

    @abstractmethod
    def to_model_descriptor(self, resolved: Resolved) -> Descriptor:
        """What the source knows for the descriptor: name, version, kind if it says so, provenance,
        licence. Paths, digests and the checkpoint hash are filled in by `install`."""
