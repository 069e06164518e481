"""Fetching files of tracked repositories, verifying them and showing them in their folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from downloader import configured
from downloader.configured import Tools
from downloader.execution import beside
from downloader.hub import snapshots
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.hub.selecting import Wanted
from downloader.library import mirroring, plan, revisions
from downloader.library.errors import DownloadError
from downloader.library.mirroring import Mirrored
from downloader.library.plan import Plan
from downloader.library.watch import Control, FileProgress, FileState, Observer
from downloader.recording import Recorder, Subject
from jobs.patience import persist
from jobs.run import Run
from registry.descriptors import InstalledFile


def bring(
    run: Run, wanted: Sequence[Wanted], tools: Tools, *, moves: bool, force: bool = False
) -> list[Mirrored]:
    """`moves`: whether a revision's folder that shows an older commit changes to this one."""
    works = [_prepared(run, one, tools, moves=moves, force=force) for one in wanted]
    several = len(works) > 1
    recorder = Recorder(run, _subject(works, several=several))
    done = []
    try:
        for work in works:
            observer = (
                _Named(recorder.listener, work.wanted.title) if several else recorder.listener
            )
            done.append(_bring_one(run, work, tools, recorder, observer))
    finally:
        recorder.write()
    return done


@dataclass(frozen=True)
class _Work:
    wanted: Wanted
    plan: Plan
    as_revision: str
    carried: tuple[InstalledFile, ...]


def _prepared(run: Run, wanted: Wanted, tools: Tools, *, moves: bool, force: bool) -> _Work:
    repo, snapshot = wanted.repo, wanted.snapshot
    known = persist(lambda: snapshots.resolved(repo, snapshot))
    as_revision = _shown_as(repo, snapshot, tools, moves=moves)
    made = plan.mirrored(
        known,
        wanted.paths,
        policy=configured.policy(),
        present=configured.present_in(tools.store),
        folder=revisions.folder_of(repo.full_name, as_revision),
    )
    for file, why in made.skipped:
        run.log("download.note", f"{file.path} {why}.", level="warning")
    for warning in made.warnings:
        run.log("download.note", warning, level="warning")
    if force:
        _distrust(made, tools)
    carried = persist(lambda: _carried(repo, snapshot, made, tools)) if moves else ()
    return _Work(wanted, made, as_revision, carried)


def _shown_as(repo: Repo, snapshot: Snapshot, tools: Tools, *, moves: bool) -> str:
    """The revision's own folder for its newest commit, unless it shows another one and is not to
    move; else the commit's."""
    if repo.snapshot_id != snapshot.pk:
        return snapshot.commit
    if moves:
        return repo.revision
    try:
        standing = revisions.read(revisions.folder_of(repo.full_name, repo.revision), tools.store)
    except DownloadError:
        return repo.revision
    same = standing is None or standing.commit == snapshot.commit
    return repo.revision if same else snapshot.commit


def _distrust(made: Plan, tools: Tools) -> None:
    """Read what is here of the plan's files again; damaged bytes are fetched anew."""
    for file in made.files:
        if file.blob_sha256 and tools.store.verify(file.blob_sha256) == "mismatch":
            tools.store.drop(file.blob_sha256)


def _carried(repo: Repo, snapshot: Snapshot, made: Plan, tools: Tools) -> tuple[InstalledFile, ...]:
    """Files of this commit whose bytes are here already: those of an older commit that have not
    changed, and small ones that were shown under the commit. They move along with the folder."""
    planned = {file.path for file in made.files}
    rows = snapshot.files.filter(barred="").exclude(path__in=planned)
    older = _shown_before(repo, snapshot)
    carried = []
    for row in rows:
        at = (row.sha256, row.trust) if row.is_here else older.get((row.path, row.digest))
        if at and row.digest and tools.store.has(at[0], row.size_bytes):
            carried.append(InstalledFile(row.path, at[0], row.size_bytes or 0, at[1], row.digest))
    return tuple(carried)


def _shown_before(repo: Repo, snapshot: Snapshot) -> dict[tuple[str, str], tuple[str, str]]:
    rows = RepoFile.objects.filter(snapshot__repo=repo, status=FileState.DONE)
    rows = rows.exclude(snapshot=snapshot).exclude(digest="")
    fields = ("path", "digest", "sha256", "trust")
    return {(path, digest): (sha, trust) for path, digest, sha, trust in rows.values_list(*fields)}


def _subject(works: Sequence[_Work], *, several: bool) -> Subject:
    """With several repositories, each file's path begins with its repository's name."""
    files = {
        (f"{work.wanted.title}/{file.path}" if several else file.path): file.file.size
        for work in works
        for file in work.plan.files
    }
    first = works[0]
    title = first.wanted.title if not several else f"{len(works)} repositories"
    total = sum(work.plan.bytes_total for work in works)
    return Subject(first.wanted.repo.source, first.plan.resolved.source_uri, title, files, total)


class _Named(Observer):
    """Tells of files by longer names."""

    def __init__(self, observer: Observer, prefix: str) -> None:
        self._observer = observer
        self._prefix = prefix

    def file(self, progress: FileProgress) -> None:
        self._observer.file(replace(progress, path=f"{self._prefix}/{progress.path}"))

    def say(self, code: str, message: str, **facts: object) -> None:
        self._observer.say(code, message, **facts)


def _bring_one(
    run: Run, work: _Work, tools: Tools, recorder: Recorder, observer: Observer
) -> Mirrored:
    control = Control()
    source, _ = configured.source_for(work.plan.resolved.source_uri, tools.client)
    mirrored = beside(
        run,
        control,
        lambda: mirroring.mirror(
            source,
            work.plan,
            work.as_revision,
            tools.store,
            tools.engine,
            control,
            observer,
            carried=work.carried,
        ),
        recorder.write_if_due,
    )
    persist(lambda: _record(work, mirrored))
    run.log(
        "hub.mirrored",
        f"{len(mirrored.stored)} files of {work.wanted.title} are in {mirrored.revision.folder}.",
        folder=str(mirrored.revision.folder),
        commit=mirrored.revision.commit,
    )
    return mirrored


def _record(work: _Work, mirrored: Mirrored) -> None:
    """What the folder shows now; and where the commit that it showed before is to be found."""
    by_path = _published_as(work.plan)
    brought = {*mirrored.stored, *(file.path for file in work.carried)}
    digests = {file.path: str(file.digest) for file in work.plan.resolved.files}
    shown = {
        by_path.get(file.path, file.path): (file.sha256, file.size, file.trust)
        for file in mirrored.revision.files
        # Of a file that was shown before, the folder's own word alone is not taken.
        if file.path in brought or digests.get(file.path) == f"sha256:{file.sha256}"
    }
    folder = str(mirrored.revision.folder)
    snapshots.mark_done(work.wanted.snapshot, shown, folder)
    snapshots.note_moved(work.wanted.snapshot, folder)


def _published_as(made: Plan) -> dict[str, str]:
    """The source's own path of each file, by the safe one."""
    return {file.path: file.file.path for file in made.files}
