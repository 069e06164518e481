"""The one interface of all sources.

A source is one class registered under the entry point group `dreamforge.sources`; its name there is
the scheme of its references. It answers four questions: what is this (`resolve`), where do its
bytes come from (`locate`, used by `fetch`), are they right (`verify`), and what shall the registry
write down (`to_model_descriptor`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from downloader.library.checksums import Computed, Trust, judge
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.remote import Location, RemoteFile, Resolved
from downloader.library.transfer import Engine, Fetched, Target
from downloader.library.watch import Control, Observer
from registry.descriptors import Descriptor

# All that a source is written with; what is `remote` is named here for plug-ins.
__all__ = ["Account", "Location", "RemoteFile", "Resolved", "Source"]


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
