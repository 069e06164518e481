"""Hugging Face, and every server that speaks its protocol: `hf:author/repo@revision#patterns`.

Metadata comes through huggingface_hub (`hub`); bytes come through our own engine, by commit. The
token goes to the endpoint's own origin and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from downloader.library.errors import AccessNeeded
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.remote import Location, RemoteFile, Resolved
from downloader.library.sources.accounts import told_by
from downloader.library.sources.base import Account, Source
from downloader.library.sources.describing import describe
from downloader.library.sources.endpoints import endpoint_of, token_of
from downloader.library.sources.filetypes import format_of, type_of
from downloader.library.sources.hub import Entry, Hub, Page, RefNames, Repository
from downloader.library.transfer import Engine, Fetched, Target
from downloader.library.watch import Control, Observer
from registry.descriptors import Descriptor

ENDPOINT = "https://huggingface.co"
DEFAULT_REVISION = "main"
VERSION_LENGTH = 12
SDXL_PIPELINE = "diffusers:StableDiffusionXL"
KINDS_BY_TAG = {"lora": "lora", "textual_inversion": "embedding"}


class HuggingFace(Source):
    """Settings: `endpoint`, `token`."""

    scheme: ClassVar[str] = "hf"
    label: ClassVar[str] = "Hugging Face"

    def __init__(self, client: Client, settings: Mapping[str, str]) -> None:
        super().__init__(client, settings)
        self.endpoint = endpoint_of(settings, ENDPOINT, "HF_ENDPOINT")
        self.token = token_of(settings, "HF_TOKEN")
        self._hub = Hub(client, self.endpoint, self.token)

    def resolve(self, ref: Ref, control: Control) -> Resolved:
        asked = ref.revision or DEFAULT_REVISION
        repository = self._hub.repository(ref.target, asked, control)
        entries = self._hub.files(repository, control)
        pinned = replace(ref, target=repository.id, revision=repository.commit)
        return Resolved(
            ref=ref,
            source_uri=str(pinned),
            repo_id=repository.id,
            author=repository.author,
            title=repository.id,
            commit=repository.commit,
            files=tuple(_file(entry) for entry in entries),
            name=repository.id.rpartition("/")[2],
            version=repository.commit[:VERSION_LENGTH],
            revision=asked,
            kind_hint=_kind(repository),
            licence=_licence(repository),
            gated=repository.gated,
            private=repository.private,
            page=self._page(repository.id),
            notes=tuple(self._notes(repository, ref.target)),
            metadata=_metadata(repository),
        )

    def locate(self, resolved: Resolved, file: RemoteFile) -> Location:
        path = quote(file.key, safe="/")
        return Location(
            f"{self.endpoint}/{resolved.repo_id}/resolve/{resolved.commit}/{path}",
            authorization=f"Bearer {self.token}" if self.token else None,
        )

    def fetch(
        self,
        engine: Engine,
        resolved: Resolved,
        targets: Mapping[str, Target],
        control: Control,
        observer: Observer,
    ) -> Mapping[str, Fetched]:
        """The engine's fetch; a refusal says where to ask for access."""
        try:
            return super().fetch(engine, resolved, targets, control, observer)
        except AccessNeeded as refusal:
            if refusal.visit:
                raise
            failure = self._refused(resolved, refusal)
        raise failure

    def to_model_descriptor(self, resolved: Resolved) -> Descriptor:
        return describe(resolved, source="huggingface", repo=resolved.repo_id)

    def account(self, control: Control) -> Account | None:
        """By the address that says who one is."""
        if not self.token:
            return None
        location = Location(f"{self.endpoint}/api/whoami-v2", authorization=f"Bearer {self.token}")
        told = told_by(self.client, location, self.label, "HF_TOKEN", control)
        token = told.get("auth", {}).get("accessToken", {})
        return Account(str(told.get("name", "")), str(token.get("role", "unknown")))

    # For browsing

    def repository(
        self, repo_id: str, revision: str = DEFAULT_REVISION, control: Control | None = None
    ) -> Repository:
        """What the revision is at this moment, its files left aside: one request."""
        return self._hub.repository(repo_id, revision, control or Control())

    def refs(self, repo_id: str, control: Control | None = None) -> RefNames:
        """Branches and tags."""
        return self._hub.refs(repo_id, control or Control())

    def tree(
        self,
        repo_id: str,
        revision: str = DEFAULT_REVISION,
        path: str = "",
        cursor: str | None = None,
        control: Control | None = None,
        *,
        deep: bool = False,
    ) -> Page:
        """One page of the files and folders directly below `path`; `deep`: of all below it."""
        return self._hub.page(
            repo_id,
            revision,
            control or Control(),
            path=path.strip("/"),
            cursor=cursor,
            recursive=deep,
        )

    def _page(self, repo_id: str) -> str:
        return f"{self.endpoint}/{repo_id}"

    def _notes(self, repository: Repository, asked: str) -> list[str]:
        notes = []
        if repository.id != asked:
            notes.append(f"{asked} is called {repository.id} now.")
        if repository.gated:
            how = "with the account of HF_TOKEN" if self.token else "and set HF_TOKEN"
            notes.append(
                f"{repository.id} is gated: for its files, accept its terms at "
                f"{self._page(repository.id)} {how}."
            )
        return notes

    def _refused(self, resolved: Resolved, refusal: AccessNeeded) -> AccessNeeded:
        what = "is gated" if resolved.gated else "does not give out its files"
        how = "with the account of HF_TOKEN" if self.token else "and set HF_TOKEN"
        return AccessNeeded(
            f"{resolved.repo_id} {what}: ask for access on its page {how}, then go on.",
            details=refusal.details,
            visit=resolved.page,
        )


def _file(entry: Entry) -> RemoteFile:
    name = format_of(entry.path)
    unknown = () if entry.digest else ("The hub publishes no usable digest of this file.",)
    return RemoteFile(
        path=entry.path,
        key=entry.path,
        size=entry.size,
        digest=entry.digest,
        type=type_of(entry.path),
        warnings=unknown,
        facts={"format": name} if name else {},
    )


def _kind(repository: Repository) -> str | None:
    if any(tag.startswith(SDXL_PIPELINE) for tag in repository.tags):
        return "sdxl-diffusers"
    return next((KINDS_BY_TAG[tag] for tag in repository.tags if tag in KINDS_BY_TAG), None)


def _licence(repository: Repository) -> str | None:
    for name in ("license_name", "license"):
        if isinstance(value := repository.card.get(name), str) and value:
            return value
    tagged = (tag.partition(":")[2] for tag in repository.tags if tag.startswith("license:"))
    return next(tagged, None)


def _metadata(repository: Repository) -> dict[str, Any]:
    card = repository.card
    facts = {
        "base_model": _words(card.get("base_model")),
        "trigger_words": _words(card.get("instance_prompt")),
        "licence_page": _words(card.get("license_link"))[:1],
        "tags": list(repository.tags),
        "library": repository.library,
        "pipeline": repository.pipeline,
    }
    return {name: value for name, value in facts.items() if value}


def _words(value: Any) -> list[str]:
    """A model card's author may have written one, several, or anything else."""
    several = value if isinstance(value, list) else [value]
    return [word for word in several if isinstance(word, str) and word]
