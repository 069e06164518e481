"""Asking a source what a repository's revision is now, and writing that down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.utils import timezone

from downloader import configured, failures
from downloader.configured import Tools
from downloader.execution import beside
from downloader.hub import bringing, ending, registering, snapshots
from downloader.hub.models import Repo, RepoFile, RepoStatus, Snapshot
from downloader.hub.selecting import Wanted
from downloader.library.errors import AccessNeeded, DownloadError, NotFound
from downloader.library.refs import Ref
from downloader.library.remote import Resolved
from downloader.library.watch import Control
from jobs.patience import persist
from jobs.run import Run

log = structlog.get_logger(__name__)

# What is worth having before anybody asks for it: what people and programs read first.
SMALL_BYTES = 1 << 20
SMALL_FILES = 200
READ_FIRST = ("readme", "license", "licence", "notice")


def sync(run: Run) -> dict[str, Any]:
    """The job: list the files of the revision as it is now; fetch the small ones that describe it.
    What was downloaded of an older commit stays."""
    with ending.the_attempt():
        repo = persist(lambda: _wanted(run))
        with noting_failure(repo), configured.tools() as tools:
            with run.step("list"):
                snapshot, change = listed(run, repo, tools)
            with run.step("fetch"):
                _fetch_small(run, repo, snapshot, tools)
    counts = {"count": 1, "completed": 1, "repo_id": str(repo.pk), "commit": snapshot.commit}
    return {**counts, "files": snapshot.file_count, **_counts(change)}


def _wanted(run: Run) -> Repo:
    repo = registering.get(run.params["repo_id"])
    return registering.sibling(repo, run.params.get("revision"))


def listed(run: Run, repo: Repo, tools: Tools) -> tuple[Snapshot, snapshots.Change]:
    """Ask for the files of the revision as it is now, and write them down."""
    control = Control()
    resolved = beside(run, control, lambda: ask(repo, tools, control))
    run.progress(0, "list", 0.9)
    snapshot, change, unlisted = persist(
        lambda: snapshots.take(repo, resolved, configured.policy())
    )
    counts: dict[str, Any] = _counts(change)
    run.log(
        "hub.synced",
        f"{repo} is at {resolved.commit[:12]}: {len(resolved.files)} files; "
        + ", ".join(f"{count} {sort}" for sort, count in counts.items())
        + ".",
        commit=resolved.commit,
        **counts,
    )
    for note in resolved.notes:
        run.log("download.note", note)
    if unlisted:
        run.log("hub.unlisted", f"{unlisted} files have names that are not kept.", level="warning")
    run.progress(0, "list", 1.0)
    return snapshot, change


def ask(repo: Repo, tools: Tools, control: Control) -> Resolved:
    """What its source says of the revision now. Touches no database."""
    ref = Ref(repo.source, repo.full_name, repo.revision)
    source, _ = configured.source_for(str(ref), tools.client)
    return source.resolve(ref, control)


def _counts(change: snapshots.Change) -> dict[str, Any]:
    return {sort: len(getattr(change, sort)) for sort in ("added", "changed", "removed")}


def _fetch_small(run: Run, repo: Repo, snapshot: Snapshot, tools: Tools) -> None:
    """Best effort for a gated repository: its list is known all the same."""
    repo = persist(lambda: registering.get(repo.pk))
    wanted = persist(lambda: small_files(snapshot))
    if not wanted:
        return
    try:
        bringing.bring(run, [Wanted(repo, snapshot, tuple(wanted))], tools, moves=False)
    except AccessNeeded as refusal:
        run.log("hub.gated", failures.told(refusal), level="warning")


def small_files(snapshot: Snapshot) -> list[str]:
    """Paths that are worth having before anybody asks, and are not here."""
    rows = snapshot.files.filter(barred="", size_bytes__lte=SMALL_BYTES).exclude(status="done")
    return [row.path for row in rows if _is_read_first(row)][:SMALL_FILES]


def _is_read_first(row: RepoFile) -> bool:
    name = row.path.rpartition("/")[2].casefold()
    return name.endswith(".json") or ("/" not in row.path and name.startswith(READ_FIRST))


@contextmanager
def noting_failure(repo: Repo) -> Iterator[None]:
    """What its source says instead of an answer is written down, and raised again."""
    try:
        yield
    except DownloadError as error:
        caught = error
        persist(lambda: failed(repo, caught))
        raise


def failed(repo: Repo, error: DownloadError) -> None:
    """What the source said instead. A repository that is not there any more is alarmed about; what
    is here of it stays."""
    facts: dict[str, Any] = {
        "status": RepoStatus.ERROR,
        "error_code": error.code,
        "error_message": failures.told(error),
        "checked_at": timezone.now(),
    }
    Repo.objects.filter(pk=repo.pk).update(**facts)
    if is_gone(repo, error):
        vanished(repo)


def is_gone(repo: Repo, error: DownloadError) -> bool:
    """A hub calls an absent repository private to whom it does not know; one that was open to us
    and is neither private nor gated has gone."""
    if isinstance(error, NotFound):
        return True
    was_open = repo.snapshot_id is not None and not (repo.private or repo.gated)
    return was_open and isinstance(error, AccessNeeded) and error.visit == repo.page


def vanished(repo: Repo) -> bool:
    """Whether this is news; the alarm is raised once."""
    news = bool(Repo.objects.filter(pk=repo.pk, gone_at=None).update(gone_at=timezone.now()))
    if news:
        log.warning("hub_source_gone", repo=str(repo), repo_id=str(repo.pk))
    return news
