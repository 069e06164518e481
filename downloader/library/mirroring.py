"""Mirroring: files of a revision, fetched and verified like a model's, shown as their source has
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from downloader.library import revisions
from downloader.library.acquisition import Acquisition
from downloader.library.install import Stored
from downloader.library.plan import Plan
from downloader.library.publishing import Judging
from downloader.library.revisions import Revision
from downloader.library.sources.base import Source
from downloader.library.store import Store
from downloader.library.transfer import Engine
from downloader.library.watch import Control, Observer
from registry.descriptors import InstalledFile


@dataclass(frozen=True)
class Mirrored:
    """`stored`: the files of the plan by path. `revision`: what its folder shows now, which may be
    more."""

    stored: Mapping[str, Stored]
    revision: Revision
    received_bytes: int
    already_here_bytes: int


def mirror(
    source: Source,
    plan: Plan,
    as_revision: str,
    store: Store,
    engine: Engine,
    control: Control,
    observer: Observer,
    *,
    carried: tuple[InstalledFile, ...] = (),
) -> Mirrored:
    """Everything the plan names, fetched, verified and shown in the folder of `as_revision`; or an
    error, and the folder as it was. `carried` are files of the same commit whose bytes are here by
    another name: they are shown too."""
    judging = Judging(source, plan.resolved.source_uri, plan.policy, tuple(store.overrides()))
    with store.claim(file.sha256 for file in carried) as claim:
        run = Acquisition(plan, judging, store, engine, claim, control, observer)
        stored = run.bring()
        control.check()
        wanted = _revision(source, plan, as_revision, stored, carried)
        shown = revisions.publish(wanted, store, claim)
        run.tidy()
    observer.say(
        "installed", f"{plan.resolved.title} is in {shown.folder}.", path=str(shown.folder)
    )
    return Mirrored(stored, shown, run.received, run.already_here)


def _revision(
    source: Source,
    plan: Plan,
    as_revision: str,
    stored: Mapping[str, Stored],
    carried: tuple[InstalledFile, ...],
) -> Revision:
    files = [
        InstalledFile(
            path=file.path,
            sha256=stored[file.path].sha256,
            size=stored[file.path].size,
            trust=stored[file.path].trust.value,
            source_digest=str(file.file.digest) if file.file.digest else None,
        )
        for file in plan.files
    ]
    return Revision(
        source=source.scheme,
        repo=plan.resolved.repo_id,
        revision=as_revision,
        commit=plan.resolved.commit,
        files=(*carried, *files),
        licence=plan.resolved.licence,
        page=plan.resolved.page,
    )
