"""Looking for news of tracked repositories: the job `watch`.

A branch that has moved is written down as an update, with what it would change; no file and no
snapshot is touched, so nothing that is pinned or installed moves by itself. Repositories with
`auto_sync` get a `sync` job instead. A source that has gone is alarmed about once, and what is
here of it stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from django.db.models import F
from django.utils import timezone

from downloader import configured, failures
from downloader.configured import Tools
from downloader.execution import beside
from downloader.hub import registering, snapshots, syncing
from downloader.hub.errors import UnknownRepo
from downloader.hub.models import Repo
from downloader.kinds import SYNC, WATCH
from downloader.library.errors import DownloadError, Stopped, Unreachable
from downloader.library.refs import Ref
from downloader.library.remote import RemoteFile, Resolved
from downloader.library.sources.huggingface import HuggingFace
from downloader.library.watch import Control
from jobs import submission
from jobs.models import Job
from jobs.patience import persist
from jobs.run import Run
from jobs.states import LIVE

log = structlog.get_logger(__name__)

PAUSE_S = 0.25  # between two repositories: a hub is asked a few times a second at most
# After so many in a row that could not be reached, it is the line that is down.
UNREACHABLE_AT_MOST = 5
NOBODY_ANSWERS = "The source cannot be reached; the others are looked at the next time."


class Outcome(StrEnum):
    SAME = "same"  # it is where it was
    UPDATE = "update"  # it has moved, and the difference is known
    SYNCING = "syncing"  # it has moved, and is being synced by itself
    GONE = "gone"  # its source has it no more
    REFUSED = "refused"  # its source does not tell us
    UNREACHABLE = "unreachable"  # nobody answered


@dataclass(frozen=True)
class Seen:
    """What a source said: the commit and, where the difference has to be known, the files; or why
    not."""

    commit: str = ""
    resolved: Resolved | None = None
    error: DownloadError | None = None


@dataclass(frozen=True)
class Finding:
    repo: Repo
    outcome: Outcome
    message: str
    job_id: uuid.UUID | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "id": str(self.repo.pk),
            "repo": str(self.repo),
            "outcome": self.outcome.value,
            "message": self.message,
            "commit": self.repo.commit or None,
            "update_commit": self.repo.update_commit or None,
            "update": self.repo.update or None,
            "job_id": str(self.job_id) if self.job_id else None,
        }


def start() -> Job | None:
    """A job that looks at everything; None while another is at it."""
    if Job.objects.filter(type=WATCH.name, owner=None, status__in=LIVE).exists():
        return None
    return submission.submit(WATCH.name, {}, None)


# The job


def watch(run: Run) -> dict[str, Any]:
    """Look at the repositories named, or at every one that can move."""
    wanted = persist(lambda: chosen(run.params.get("repo_ids")))
    counts = dict.fromkeys((outcome.value for outcome in Outcome), 0)
    with run.step("watch"), configured.tools() as tools:
        watcher = Watcher(tools, lambda ask, control: beside(run, control, ask))
        for at, repo_id in enumerate(wanted, start=1):
            finding = watcher.look(repo_id)
            if finding is not None:
                counts[finding.outcome] += 1
                _tell(run, finding)
            run.progress(0, "watch", at / len(wanted))
            if watcher.is_cut_off:
                run.log("hub.unreachable", NOBODY_ANSWERS, level="warning")
                break
            if at < len(wanted):
                run.wait(PAUSE_S)
    return {"count": 1, "completed": 1, **counts}


def _tell(run: Run, finding: Finding) -> None:
    quiet = finding.outcome in (Outcome.SAME, Outcome.SYNCING, Outcome.UPDATE)
    code = "hub.source_gone" if finding.outcome is Outcome.GONE else f"hub.{finding.outcome}"
    run.log(
        code, finding.message, level="info" if quiet else "warning", repo_id=str(finding.repo.pk)
    )


class Watcher:
    """Goes from one to the next, and notices when nobody answers any more. `aside` does the asking,
    which touches no database."""

    def __init__(self, tools: Tools, aside: Callable[[Callable[[], Seen], Control], Seen]) -> None:
        self._tools = tools
        self._aside = aside
        self._unanswered = 0

    @property
    def is_cut_off(self) -> bool:
        return self._unanswered >= UNREACHABLE_AT_MOST

    def look(self, repo_id: uuid.UUID) -> Finding | None:
        """None for one that was removed meanwhile."""
        control = Control()
        try:
            repo = persist(lambda: registering.get(repo_id))
        except UnknownRepo:
            return None
        seen = self._aside(lambda: ask(repo, self._tools, control), control)
        finding = persist(lambda: settle(repo, seen))
        unanswered = finding.outcome is Outcome.UNREACHABLE
        self._unanswered = self._unanswered + 1 if unanswered else 0
        return finding


def chosen(ids: Sequence[str] | None) -> list[uuid.UUID]:
    """Those named; else every repository that is not pinned to a commit, the longest unseen
    first."""
    if ids is not None:
        return [uuid.UUID(str(id_)) for id_ in ids]
    tracked = Repo.objects.order_by(F("checked_at").asc(nulls_first=True), "pk")
    return [pk for pk, revision in tracked.values_list("pk", "revision") if can_move(revision)]


def can_move(revision: str) -> bool:
    return not registering.COMMIT.fullmatch(revision)


# One repository


def ask(repo: Repo, tools: Tools, control: Control) -> Seen:
    """One request; the files are listed only for a commit that nobody has compared yet. Touches no
    database."""
    try:
        source, _ = configured.source_for(str(_ref(repo)), tools.client)
        if isinstance(source, HuggingFace):
            commit = source.repository(repo.full_name, repo.revision, control).commit
            if commit in (repo.commit, repo.update_commit) or repo.auto_sync or not repo.commit:
                return Seen(commit)
        resolved = source.resolve(_ref(repo), control)
    except Stopped:
        raise
    except DownloadError as error:
        return Seen(error=error)
    return Seen(resolved.commit, resolved)


def _ref(repo: Repo) -> Ref:
    return Ref(repo.source, repo.full_name, repo.revision)


def settle(repo: Repo, seen: Seen) -> Finding:
    """Write down what was seen. `repo` is as it was when its source was asked: one that was synced
    meanwhile knows better, and keeps what it knows."""
    if seen.error is not None:
        return _refused(repo, seen.error)
    came_back = _is_there(repo)
    outcome, message, job_id = _placed(repo, seen)
    if came_back:
        message = f"{message} Its source is there again."
    return Finding(registering.get(repo.pk), outcome, message, job_id)


def _placed(repo: Repo, seen: Seen) -> tuple[Outcome, str, uuid.UUID | None]:
    known = Repo.objects.filter(pk=repo.pk, snapshot=repo.snapshot)
    if seen.commit == repo.commit:
        known.update(update_commit="", update={})
        return Outcome.SAME, f"{repo} is at {seen.commit[:12]}, as it was.", None
    if repo.auto_sync:
        job_id = _synced(repo)
        return Outcome.SYNCING, f"{repo} is at {seen.commit[:12]} and is being synced.", job_id
    if not repo.commit:
        return Outcome.SAME, f"{repo} is there; its files were never listed.", None
    if seen.resolved is not None:
        known.update(update_commit=seen.commit, update=difference(repo, seen.resolved))
        log.info("hub_update_found", repo=str(repo), repo_id=str(repo.pk), commit=seen.commit)
    return Outcome.UPDATE, f"{repo} has moved to {seen.commit[:12]}.", None


def _is_there(repo: Repo) -> bool:
    """Whether it had been gone."""
    here = Repo.objects.filter(pk=repo.pk)
    here.update(checked_at=timezone.now())
    came_back = bool(here.exclude(gone_at=None).update(gone_at=None))
    if came_back:
        log.info("hub_source_back", repo=str(repo), repo_id=str(repo.pk))
    return came_back


def difference(repo: Repo, resolved: Resolved) -> dict[str, Any]:
    """What an update would change, as the repository's `update` keeps it."""
    policy, present = configured.policy(), configured.present_in(configured.store())

    def needless(file: RemoteFile) -> str | None:
        """The blob that is here, or why the file would not be fetched."""
        return present(file) or snapshots.barred(file.path, policy)

    listed = [file for file in resolved.files if snapshots.storable(file.path)]
    change = snapshots.compare(snapshots.known_files(repo.snapshot), listed, needless)
    return {**change.to_json(), "facts": _facts_changed(repo, resolved)}


def _facts_changed(repo: Repo, resolved: Resolved) -> dict[str, list[Any]]:
    """What else its source says now, with what it said before."""
    now = {
        "licence": (resolved.licence or "")[:200],
        "gated": resolved.gated,
        "private": resolved.private,
    }
    return {
        name: [getattr(repo, name), value]
        for name, value in now.items()
        if getattr(repo, name) != value
    }


def _synced(repo: Repo) -> uuid.UUID | None:
    """The job that syncs it; none where one waits already."""
    waiting = Job.objects.filter(type=SYNC.name, status__in=LIVE)
    if waiting.filter(params__repo_id=str(repo.pk)).exists():
        return None
    return submission.submit(SYNC.name, {"repo_id": str(repo.pk)}, None).pk


def _refused(repo: Repo, error: DownloadError) -> Finding:
    told = f"{repo}: {failures.told(error)}"
    if isinstance(error, Unreachable):
        return Finding(repo, Outcome.UNREACHABLE, told)
    Repo.objects.filter(pk=repo.pk).update(checked_at=timezone.now())
    if not syncing.is_gone(repo, error):
        return Finding(repo, Outcome.REFUSED, told)
    syncing.vanished(repo)
    message = f"{told} What is here of it stays, and goes on working."
    return Finding(registering.get(repo.pk), Outcome.GONE, message)
