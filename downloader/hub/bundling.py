"""What of the hub and the registry goes into a bundle."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path, PurePosixPath

import structlog

from downloader import configured
from downloader.hub import bundle_keys, registering
from downloader.hub.errors import HubError
from downloader.hub.matching import LOCAL
from downloader.hub.models import Repo, Snapshot
from downloader.library import install
from downloader.library.bundles import writing
from downloader.library.bundles.manifest import BundledFile, BundledRepo, Manifest
from downloader.library.bundles.writing import Making, Written
from downloader.library.errors import NotFound
from downloader.library.store import Store
from downloader.library.watch import Control, FileState, Observer
from registry import selection
from registry.descriptors import Descriptor
from registry.errors import UnknownModel
from registry.models import Model

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Choice:
    repos: tuple[Repo, ...] = ()
    models: tuple[Model, ...] = ()


def chosen(texts: Iterable[str]) -> Choice:
    """Models by id or name, repositories by id or `author/name[@revision]`. UnknownModel, Ambiguous
    or UnknownRepo for a text that means none."""
    repos: dict[uuid.UUID, Repo] = {}
    models: dict[uuid.UUID, Model] = {}
    for text in texts:
        model = None if "/" in text else _model(text)
        if model is not None:
            models[model.pk] = model
        else:
            repo = registering.named(text)
            _refuse_unnamed(repo)
            repos[repo.pk] = repo
    return Choice(tuple(repos.values()), tuple(models.values()))


def _model(text: str) -> Model | None:
    """None for a text that is the id of a repository."""
    try:
        return selection.named(text)
    except UnknownModel:
        if _is_repo(text):
            return None
        raise


def _refuse_unnamed(repo: Repo) -> None:
    """A bundle names things as their source does."""
    if repo.source == LOCAL:
        raise HubError(
            f"{repo} was found on this disk and no source knows it: another machine could not "
            "name it. Install it as a model and export that."
        )


def _is_repo(text: str) -> bool:
    try:
        return Repo.objects.filter(pk=uuid.UUID(text)).exists()
    except ValueError:
        return False


def everything() -> Choice:
    """All models that are installed, and all repositories of a source of which a file is here."""
    repos = Repo.objects.filter(snapshot__done_count__gt=0).exclude(source=LOCAL)
    repos = repos.select_related("snapshot")
    models = Model.objects.filter(installed=True).order_by("kind", "name", "version")
    return Choice(tuple(repos.order_by("author", "name", "revision")), tuple(models))


def manifest_of(choice: Choice, store: Store, known: frozenset[str] = frozenset()) -> Manifest:
    """`known`: blobs that the other side has. NotFound when bytes are missing here."""
    manifest = Manifest(
        repos=tuple(_bundled(repo) for repo in choice.repos),
        models=tuple(_descriptor(model, store) for model in choice.models),
        made_at=install.now(),
    )
    for sha256, size in manifest.blobs.items():
        if not store.has(sha256, size):
            raise NotFound(
                f"The bytes of {manifest.named(sha256)} are not here. Verify with --repair, or "
                "download it again, and export then."
            )
    return replace(manifest, left_out=frozenset(manifest.blobs.keys() & known))


def _descriptor(model: Model, store: Store) -> Descriptor:
    """As it is installed, with the registry's word on it."""
    if not model.installed:
        raise HubError(f"{model} is not installed: there is nothing to export.")
    standing = install.read(PurePosixPath(model.local_path), store)
    return replace(standing, enabled=model.enabled, files=model.files)


def _bundled(repo: Repo) -> BundledRepo:
    snapshot = repo.snapshot
    if snapshot is None:
        raise HubError(f"The files of {repo} are not known yet; sync it first.")
    return BundledRepo(
        source=repo.source,
        author=repo.author,
        name=repo.name,
        revision=repo.revision,
        commit=snapshot.commit,
        seen_at=(repo.synced_at or snapshot.taken_at).astimezone(UTC).isoformat(),
        files=tuple(_files(snapshot)),
        gated=repo.gated,
        private=repo.private,
        licence=repo.licence,
        page=repo.page,
        metadata=repo.metadata,
    )


def _files(snapshot: Snapshot) -> Iterable[BundledFile]:
    for row in snapshot.files.order_by("path"):
        is_here = row.status == FileState.DONE
        yield BundledFile(
            path=row.path,
            size=row.size_bytes,
            digest=row.digest,
            sha256=row.sha256 if is_here else "",
            trust=row.trust if is_here else "unverified",
        )


def inventory(store: Store) -> dict[str, int]:
    """The blobs that are needed here, with their sizes."""
    found = ((sha256, store.size(sha256)) for sha256 in store.references())
    return {sha256: size for sha256, size in found if size is not None}


def export(manifest: Manifest, to: Path, control: Control, observer: Observer) -> Written:
    made = Making(manifest, bundle_keys.own_key(), configured.store(), control, observer)
    written = writing.write(made, to)
    log.info(
        "bundle_exported",
        models=len(manifest.models),
        repos=len(manifest.repos),
        blobs=written.copied_blobs,
        size_bytes=written.copied_bytes,
    )
    return written
