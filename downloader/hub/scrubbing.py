"""Reading blobs again, to find the damaged ones before somebody needs them: of one repository when
it is asked for, and of the whole store, a part every hour, at a rate the operator sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from downloader import configured
from downloader.hub import adopted, bringing, ending, registering, snapshots
from downloader.hub.adopted import Known
from downloader.hub.matching import LOCAL
from downloader.hub.models import Repo, RepoFile, Scanned, Snapshot
from downloader.hub.selecting import Wanted
from downloader.hub.voices import JobVoice, Voice
from downloader.kinds import SCRUB
from downloader.library import damage
from downloader.library.checksums import Trust
from downloader.library.damage import Paced, SetAside, Verdict
from downloader.library.layouts import Seen
from downloader.library.store import Store, blobs
from downloader.library.watch import Control, FileState
from jobs import submission
from jobs.models import Job
from jobs.patience import persist
from jobs.run import Run
from jobs.states import LIVE
from registry import catalog
from registry.models import Model

RUN_S = 3000.0  # what a scrub reads at its rate in so many seconds is its share of an hour
AGAIN_AFTER = timedelta(days=7)
NEVER = datetime.min.replace(tzinfo=timezone.get_default_timezone())
TOLD_AT_MOST = 100
DAMAGED = "its bytes were damaged on the disk"


@dataclass
class Report:
    """`damaged` and `missing` name blobs; `files` are those of repositories that lost theirs."""

    read: int = 0
    read_bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    repaired: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "read_bytes": self.read_bytes,
            "damaged": self.damaged[:TOLD_AT_MOST],
            "missing": self.missing[:TOLD_AT_MOST],
            "files": self.files[:TOLD_AT_MOST],
            "repaired": self.repaired,
        }

    @property
    def told(self) -> str:
        return (
            f"{self.read} blobs read, {len(self.damaged)} damaged, {len(self.missing)} missing, "
            f"{self.repaired} files fetched again."
        )


# One repository


def verify(run: Run) -> dict[str, Any]:
    """The job: read every blob of a repository; with `repair`, fetch again what is damaged."""
    voice = JobVoice(run, "verify")
    with ending.the_attempt():
        with run.step("verify"):
            repo = persist(lambda: registering.get(run.params["repo_id"]))
            report = verify_repo(repo, configured.store(), voice)
            voice.progress(1.0)
        with run.step("fetch"):
            if run.params.get("repair"):
                report.repaired = _repair(run, repo)
            run.progress(0, "fetch", 1.0)
    return {"count": 1, "completed": 1, "repo_id": str(repo.pk), **report.to_json()}


def verify_repo(repo: Repo, store: Store, voice: Voice) -> Report:
    """A file whose bytes differ is failed, and nowhere to be seen."""
    rows = RepoFile.objects.filter(snapshot__repo=repo, status=FileState.DONE)
    sizes = persist(lambda: dict(rows.values_list("sha256", "size_bytes")))
    return _examine(sorted(sizes), sizes, store, voice, voice.control)


def _repair(run: Run, repo: Repo) -> int:
    if repo.source == LOCAL:
        run.log("hub.unrepairable", f"{repo} has no source to fetch from.", level="warning")
        return 0
    wanted = persist(lambda: list(_failed(repo)))
    if not wanted:
        return 0
    with configured.tools() as tools:
        done = bringing.bring(run, wanted, tools, moves=False)
    return sum(len(one.stored) for one in done)


def _failed(repo: Repo) -> Iterable[Wanted]:
    for snapshot in repo.snapshots.select_related("repo__snapshot"):
        rows = snapshot.files.filter(status=FileState.FAILED, barred="")
        if paths := tuple(rows.values_list("path", flat=True)):
            yield Wanted(snapshot.repo, snapshot, paths)


# The whole store


def start() -> dict[str, Any]:
    """For HOUSEKEEPING: one scrub at a time, none when its rate is 0."""
    waiting = Job.objects.filter(type=SCRUB.name, status__in=LIVE)
    if not settings.SCRUB_RATE or waiting.exists():
        return {"started": False}
    job = submission.submit(SCRUB.name, {}, None)
    return {"started": True, "job_id": str(job.pk)}


def scrub(run: Run) -> dict[str, Any]:
    """The job: read what nobody has read for longest, as much as an hour allows."""
    voice = JobVoice(run, "verify")
    rate = int(settings.SCRUB_RATE)
    with ending.the_attempt(), run.step("verify"):
        report = scrub_store(configured.store(), voice, rate)
        voice.progress(1.0)
    return {"count": 1, "completed": 1, **report.to_json()}


def scrub_store(store: Store, voice: Voice, rate: int, budget_s: float = RUN_S) -> Report:
    """`rate` in bytes a second; 0 reads as fast as the disk, and all that is due."""
    sizes = voice.aside(lambda: _all(store))
    due = persist(lambda: _due(sizes))
    chosen = _within(due, sizes, int(rate * budget_s)) if rate else due
    control = Paced(voice.control, rate) if rate else voice.control
    return _examine(chosen, sizes, store, voice, control)


def _all(store: Store) -> dict[str, int]:
    found = {}
    for folder, name in blobs.each(store.layout):
        status = folder.look(name)
        if status is not None and folder.is_file(name):
            found[name] = status.st_size
    return found


def _due(sizes: Mapping[str, int]) -> list[str]:
    """Those that were not read lately, the longest first. What was noted of others is dropped."""
    notes = Scanned.objects.filter(path__startswith="blobs/")
    read = dict(notes.values_list("sha256", "seen_at"))
    adopted.forget_blobs(read.keys() - sizes.keys())
    rows = RepoFile.objects.filter(status=FileState.DONE).order_by().values("sha256")
    verified = dict(rows.annotate(at=Max("verified_at")).values_list("sha256", "at"))

    def last(sha256: str) -> datetime:
        return max(read.get(sha256) or NEVER, verified.get(sha256) or NEVER)

    due = [sha256 for sha256 in sizes if timezone.now() - last(sha256) > AGAIN_AFTER]
    return sorted(due, key=lambda sha256: (last(sha256), sha256))


def _within(due: Iterable[str], sizes: Mapping[str, int], budget_bytes: int) -> list[str]:
    """As many as fit, and one at least: the largest has its turn too."""
    chosen: list[str] = []
    left = budget_bytes
    for sha256 in due:
        left -= sizes[sha256]
        if chosen and left < 0:
            break
        chosen.append(sha256)
    return chosen


# Both


def _examine(
    digests: list[str],
    sizes: Mapping[str, int | None],
    store: Store,
    voice: Voice,
    control: Control,
) -> Report:
    report = Report()
    for at, sha256 in enumerate(digests):
        voice.control.check()
        _examine_one(sha256, store, voice, control, report)
        voice.progress(0.98 * (at + 1) / len(digests))
    voice.say("scrub.done", report.told)
    return report


def _examine_one(sha256: str, store: Store, voice: Voice, control: Control, report: Report) -> None:
    verdict = voice.aside(lambda: damage.examine(sha256, store, control))
    if verdict.computed is None:
        report.missing.append(sha256)
        report.files += persist(lambda: _lost(sha256))
        return
    report.read += 1
    report.read_bytes += verdict.computed.size
    _judge(verdict, store, voice, report)


def _judge(verdict: Verdict, store: Store, voice: Voice, report: Report) -> None:
    if verdict.whole:
        persist(lambda: _note_whole(verdict, store))
        return
    sha256 = verdict.sha256
    uri = persist(lambda: _source_uri(sha256))
    aside = voice.aside(lambda: damage.set_aside(verdict, store, uri))
    report.damaged.append(sha256)
    report.files += persist(lambda: _fail(sha256, aside))
    voice.say(
        "scrub.damaged",
        f"The bytes of {sha256} are damaged; they are in quarantine as {aside.quarantine_id}.",
        level="error",
        sha256=sha256,
        folders=list(aside.revisions),
    )


def _note_whole(verdict: Verdict, store: Store) -> None:
    RepoFile.objects.filter(sha256=verdict.sha256, status=FileState.DONE).update(
        verified_at=timezone.now()
    )
    try:
        found = store.blob(verdict.sha256).lstat()
    except FileNotFoundError:
        return
    path = str(store.blob(verdict.sha256).relative_to(store.root))
    adopted.remember([Known(Seen.of(path, found), verdict.sha256)])


def _source_uri(sha256: str) -> str:
    row = RepoFile.objects.filter(sha256=sha256).select_related("snapshot__repo").first()
    if row is None:
        return "store"
    repo = row.snapshot.repo
    return f"{repo.source}:{repo.full_name}@{row.snapshot.commit}"


def _fail(sha256: str, aside: SetAside) -> list[str]:
    """Every file of a repository that showed the blob; models that did are disabled."""
    rows = RepoFile.objects.filter(sha256=sha256)
    touched = list(rows.select_related("snapshot__repo"))
    rows.update(status=FileState.FAILED, trust=Trust.MISMATCH, error=DAMAGED, sha256="")
    _recount(touched)
    for folder, path in aside.models:
        model = Model.objects.filter(local_path=folder).first()
        if model is not None and path in {file.path for file in model.files}:
            catalog.judge(model.pk, {path: Trust.MISMATCH.value})
    return [_shown(row) for row in touched]


def _lost(sha256: str) -> list[str]:
    rows = list(RepoFile.objects.filter(sha256=sha256).select_related("snapshot__repo"))
    for snapshot, files in snapshots.together(rows):
        snapshots.mark_gone(snapshot, [row.path for row in files])
    return [_shown(row) for row in rows]


def _recount(rows: Iterable[RepoFile]) -> None:
    for snapshot in Snapshot.objects.filter(pk__in={row.snapshot_id for row in rows}):
        snapshots.recount(snapshot)


def _shown(row: RepoFile) -> str:
    return f"{row.snapshot.repo}/{row.path}"
