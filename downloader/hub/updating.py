"""Updating a tracked branch on approval: the job `update`.

The branch's newest commit is listed, and of it what was downloaded before: the same paths, and
new files of the same sort beside them. Bytes that have not changed are not fetched again; the
older commit stays, under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model

from downloader import configured
from downloader.hub import bringing, ending, registering, syncing, watching
from downloader.hub.errors import InvalidState
from downloader.hub.models import Repo, Snapshot
from downloader.hub.selecting import Wanted
from downloader.kinds import UPDATE
from downloader.library.watch import FileState
from jobs import submission
from jobs.models import Job
from jobs.patience import persist
from jobs.run import Run


def approve(
    repo: Repo,
    owner: AbstractBaseUser | None,
    *,
    by: Any = None,
    along: Callable[[Job], Sequence[Model]] = lambda _job: (),
) -> Job:
    """The job that brings the repository to its newest commit; InvalidState when none is known to
    be newer."""
    if not watching.can_move(repo.revision):
        raise InvalidState(f"{repo} is a commit: it never moves.")
    if not (repo.commit and repo.update_commit):
        raise InvalidState(f"No update of {repo} is known; check it first.")
    params = {"repo_id": str(repo.pk), "from_commit": repo.commit}
    return submission.submit(UPDATE.name, params, owner, by=by, along=along)


def update(run: Run) -> dict[str, Any]:
    """The job."""
    with ending.the_attempt():
        repo = persist(lambda: registering.get(run.params["repo_id"]))
        with syncing.noting_failure(repo), configured.tools() as tools:
            with run.step("list"):
                snapshot, _ = syncing.listed(run, repo, tools)
            with run.step("fetch"):
                wanted = persist(lambda: _to_bring(repo, snapshot, run.params["from_commit"]))
                done = bringing.bring(run, wanted, tools, moves=True) if wanted else []
    return {
        "count": 1,
        "completed": 1,
        "repo_id": str(repo.pk),
        "commit": snapshot.commit,
        "files": sum(len(one.paths) for one in wanted),
        "bytes_received": sum(one.received_bytes for one in done),
    }


def _to_bring(repo: Repo, after: Snapshot, from_commit: str) -> list[Wanted]:
    """What was downloaded before, and the small files that a sync brings; nothing where there is
    neither."""
    paths = {*successors(repo, after, from_commit), *syncing.small_files(after)}
    newest = registering.get(repo.pk)
    return [Wanted(newest, after, tuple(sorted(paths)))] if paths else []


def successors(repo: Repo, after: Snapshot, from_commit: str) -> tuple[str, ...]:
    """Paths of the newer commit that belong to what was downloaded of the older one."""
    before = repo.snapshots.filter(commit=from_commit).first()
    if before is None:
        return ()
    known = {row.path: row for row in before.files.all()}
    had = {path for path, row in known.items() if row.status == FileState.DONE}
    beside = {(_folder(path), known[path].type) for path in had}
    rows = after.files.filter(barred="").values_list("path", "type")
    return tuple(
        path
        for path, type_ in rows
        if path in had or (path not in known and (_folder(path), type_) in beside)
    )


def _folder(path: str) -> PurePosixPath:
    return PurePosixPath(path).parent
