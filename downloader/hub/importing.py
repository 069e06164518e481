"""What a bundle becomes here: models of the registry, and tracked repositories with their files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from downloader import configured
from downloader.hub import bundle_keys, registering, snapshots
from downloader.hub.models import Repo
from downloader.library import revisions
from downloader.library.bundles import bringing, reading
from downloader.library.bundles.bringing import Taking
from downloader.library.bundles.manifest import BundledFile, BundledRepo, Manifest
from downloader.library.checksums import Digest
from downloader.library.refs import Ref
from downloader.library.remote import RemoteFile, Resolved
from downloader.library.watch import Control, Observer
from registry import catalog
from registry.models import Model

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Imported:
    manifest: Manifest
    key_id: str
    models: tuple[Model, ...]
    repos: tuple[Repo, ...]
    copied_blobs: int
    copied_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "key_id": self.key_id,
            "made_at": self.manifest.made_at,
            "models": [{"id": str(model.pk), "name": str(model)} for model in self.models],
            "repos": [{"id": str(repo.pk), "name": str(repo)} for repo in self.repos],
            "copied_blobs": self.copied_blobs,
            "copied_bytes": self.copied_bytes,
        }


def look(path: Path, control: Control, trust: str | None = None, *, by: Any = None) -> Manifest:
    """What the bundle says, if its key is trusted. `trust` is a key that is trusted from now on,
    once it has signed this very bundle."""
    also = frozenset({trust} if trust else ())
    with reading.opened(path, control) as bundle:
        manifest, key_id = bringing.manifest_of(bundle, bundle_keys.trusted() | also)
    if key_id in also:
        bundle_keys.trust(key_id, by=by)
    return manifest


def take(path: Path, control: Control, observer: Observer, *, by: Any = None) -> Imported:
    """Everything that the bundle holds, verified, shown and registered; or an error, and nothing of
    it. No network is asked."""
    with reading.opened(path, control) as bundle:
        manifest, key_id = bringing.manifest_of(bundle, bundle_keys.trusted())
        places = tuple(_as_revision(repo) for repo in manifest.repos)
        taking = Taking(
            bundle, manifest, configured.store(), configured.policy(), control, observer
        )
        brought = bringing.bring(taking, places)
    models = tuple(
        catalog.record(standing, enable=wanted.enabled, by=by)
        for standing, wanted in zip(brought.models, manifest.models, strict=True)
    )
    repos = tuple(
        _tracked(repo, revision, by) for repo, revision in zip(manifest.repos, places, strict=True)
    )
    log.info("bundle_imported", key_id=key_id, models=len(models), repos=len(repos))
    return Imported(manifest, key_id, models, repos, brought.copied_blobs, brought.copied_bytes)


def _as_revision(repo: BundledRepo) -> str:
    """The revision that an imported commit is tracked and shown as: its own, but the commit where
    this machine has seen a newer state of the branch."""
    known = (
        Repo.objects.filter(
            source=repo.source, author=repo.author, name=repo.name, revision=repo.revision
        )
        .select_related("snapshot")
        .first()
    )
    if known is None or known.synced_at is None or known.commit == repo.commit:
        return repo.revision
    return repo.revision if known.synced_at < _moment(repo.seen_at) else repo.commit


def _moment(text: str) -> datetime:
    """One that cannot be read is older than any."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    oldest = datetime.min.replace(tzinfo=UTC)
    if found is None:
        return oldest
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tracked(bundled: BundledRepo, revision: str, by: Any) -> Repo:
    """The rows of a repository, as a sync and a download would have left them."""
    repo, _ = registering.register(bundled.full_name, revision, by=by)
    snapshot, _, _ = snapshots.take(repo, _resolved(bundled), configured.policy(), by_source=False)
    # As of when its source was asked, by the machine that did.
    seen_at = min(_moment(bundled.seen_at), timezone.now())
    Repo.objects.filter(pk=repo.pk).update(synced_at=seen_at, checked_at=seen_at)
    here = {file.path: (file.sha256, file.size or 0, file.trust) for file in bundled.here}
    if here:
        folder = str(revisions.folder_of(bundled.full_name, revision))
        snapshots.mark_done(snapshot, here, folder)
        snapshots.note_moved(snapshot, folder)
    return registering.get(repo.pk)


def _resolved(repo: BundledRepo) -> Resolved:
    metadata = dict(repo.metadata)
    return Resolved(
        ref=Ref(repo.source, repo.full_name, repo.revision),
        source_uri=str(Ref(repo.source, repo.full_name, repo.commit)),
        repo_id=repo.full_name,
        author=repo.author,
        title=repo.full_name,
        commit=repo.commit,
        files=tuple(_remote(file) for file in repo.files),
        name=repo.name,
        version=repo.commit[:12],
        revision=repo.revision,
        kind_hint=metadata.pop(snapshots.KIND, None),
        licence=repo.licence or None,
        gated=repo.gated,
        private=repo.private,
        page=repo.page or None,
        metadata=metadata,
    )


def _remote(file: BundledFile) -> RemoteFile:
    algorithm, _, value = file.digest.partition(":")
    return RemoteFile(
        path=file.path,
        key=file.path,
        size=file.size,
        digest=Digest(algorithm, value) if value else None,
    )
