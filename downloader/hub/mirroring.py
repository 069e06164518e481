"""Downloading files of tracked repositories: the job `mirror`, and what `sync` fetches."""

from __future__ import annotations

import fnmatch
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from downloader import configured, failures
from downloader.configured import Tools
from downloader.execution import beside
from downloader.hub import registering, snapshots
from downloader.hub.errors import AlreadyDownloaded, HubError, NotSynced, UnknownFile
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.library import mirroring, plan, revisions
from downloader.library.errors import DownloadError
from downloader.library.mirroring import Mirrored
from downloader.library.plan import Plan
from downloader.library.watch import Control, FileProgress, FileState, Observer
from downloader.recording import Recorder, Subject
from jobs.errors import AttemptFailed
from jobs.patience import persist
from jobs.run import Run
from registry.descriptors import InstalledFile


@dataclass(frozen=True)
class Wanted:
    """Files of one snapshot, by path."""

    repo: Repo
    snapshot: Snapshot
    paths: tuple[str, ...]

    @property
    def title(self) -> str:
        return str(self.repo)


# Choosing


def chosen(params: Mapping[str, Any]) -> list[Wanted]:
    """What the job's parameters name: files by id, or a repository with a selection. NotSynced when
    its files are not known; HubError when a path or pattern fits none."""
    if params.get("artifact_ids"):
        return by_ids([uuid.UUID(str(id_)) for id_ in params["artifact_ids"]])
    repo = registering.get(params["repo_id"])
    snapshot = snapshot_of(repo, params.get("commit"))
    return [Wanted(repo, snapshot, tuple(select(snapshot, params.get("selection") or ())))]


def snapshot_of(repo: Repo, commit: str | None) -> Snapshot:
    """The commit that is named, else the newest one. NotSynced when none is known."""
    if commit:
        found = repo.snapshots.filter(commit=commit).first()
        if found is None:
            raise HubError(f"No commit {commit[:40]} of {repo} is known; sync it first.")
        return found
    if repo.snapshot is None:
        raise NotSynced(f"The files of {repo} are not known yet; sync it first.")
    return repo.snapshot


def by_ids(ids: Sequence[uuid.UUID]) -> list[Wanted]:
    rows = RepoFile.objects.filter(pk__in=ids).select_related("snapshot__repo__snapshot")
    found: dict[uuid.UUID, list[RepoFile]] = {}
    for row in rows:
        found.setdefault(row.snapshot_id, []).append(row)
    missing = len(set(ids)) - sum(map(len, found.values()))
    if missing:
        raise HubError(f"{missing} of the files are not known; look at the list again.")
    return [
        Wanted(
            files[0].snapshot.repo, files[0].snapshot, tuple(sorted(file.path for file in files))
        )
        for files in found.values()
    ]


def select(snapshot: Snapshot, selection: Iterable[Mapping[str, str]]) -> list[str]:
    """Paths that entries `{path, type: file|dir}` name; a path may be a pattern. No entry: all that
    the policy allows. A file that is named itself is taken whatever the policy says, and refused
    when it is fetched, with the reason."""
    rows = list(snapshot.files.values_list("path", "barred"))
    entries = list(selection)
    if not entries:
        return [path for path, barred in rows if not barred]
    taken: set[str] = set()
    for entry in entries:
        found = _named_by(entry, rows)
        if not found:
            raise UnknownFile(
                f"There is no {entry['path'][:200]!r} in {snapshot.repo} at "
                f"{snapshot.commit[:12]}.",
                details={"fields": {"selection": [f"No file fits {entry['path'][:200]!r}."]}},
            )
        taken.update(found)
    return sorted(taken)


def _named_by(entry: Mapping[str, str], rows: Sequence[tuple[str, str]]) -> list[str]:
    path = entry["path"].strip("/")
    if entry.get("type") == "dir" or entry["path"].endswith("/"):
        below = f"{path}/" if path else ""
        return [name for name, barred in rows if name.startswith(below) and not barred]
    if any(name == path for name, _ in rows):
        return [path]
    return [name for name, barred in rows if fnmatch.fnmatchcase(name, path) and not barred]


def missing(wanted: Wanted) -> QuerySet[RepoFile]:
    """Those that are not here."""
    rows = wanted.snapshot.files.filter(path__in=wanted.paths)
    return rows.exclude(status=FileState.DONE)


def refuse_nothing_to_do(wanted: Sequence[Wanted]) -> None:
    """AlreadyDownloaded when every file is here, by the rows and by the store."""
    store = configured.store()
    for one in wanted:
        rows = {row.path: row for row in one.snapshot.files.all()}
        for path in one.paths:
            row = rows[path]
            if not (row.is_here and store.has(row.sha256, row.size_bytes)):
                return
    raise AlreadyDownloaded("All of these files are here already; force fetches them again.")


# The job


def mirror(run: Run) -> dict[str, Any]:
    """Fetch, verify and show files; a second attempt fetches only what is missing."""
    try:
        with configured.tools() as tools:
            with run.step("resolve"):
                wanted = _chosen(run)
                run.progress(0, "resolve", 1.0)
            with run.step("fetch"):
                done = bring(run, wanted, tools, moves=True, force=bool(run.params.get("force")))
    except DownloadError as error:
        raise failures.attempt_failed(error) from error
    return {
        "count": 1,
        "completed": 1,
        "files": sum(len(one.stored) for one in done),
        "bytes_received": sum(one.received_bytes for one in done),
        "folders": [str(one.revision.folder) for one in done],
    }


def _chosen(run: Run) -> list[Wanted]:
    if run.params.get("fresh"):
        return _synced_first(run)
    try:
        return persist(lambda: chosen(run.params))
    except NotSynced:
        return _synced_first(run)
    except HubError as error:
        raise AttemptFailed("invalid_input", error.message) from error


def _synced_first(run: Run) -> list[Wanted]:
    """Nobody has asked its source yet what it holds, or not since it changed."""
    from downloader.hub import syncing  # which fetches small files by way of this module

    try:
        repo = persist(lambda: registering.get(run.params["repo_id"]))
    except HubError as error:
        raise AttemptFailed("invalid_input", error.message) from error
    control = Control()
    with configured.tools() as tools:
        try:
            resolved = beside(run, control, lambda: syncing.ask(repo, tools, control))
        except DownloadError as error:
            caught = error
            persist(lambda: syncing.failed(repo, caught))
            raise
    persist(lambda: snapshots.take(repo, resolved, configured.policy()))
    try:
        return persist(lambda: chosen(run.params))
    except HubError as error:
        raise AttemptFailed("invalid_input", error.message) from error


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
