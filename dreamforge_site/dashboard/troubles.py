"""What needs a hand: one row of the table a kind of trouble, told only when there is some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from dreamforge_site.dashboard import figures
from dreamforge_site.dashboard.figures import COUNTED, DAY
from dreamforge_site.dashboard.keeping import kept
from jobs.models import Job
from jobs.states import State
from jobs.webhooks.models import Outcome, WebhookDelivery
from registry import wording

SEE_JOBS, SEE_QUEUES, SEE_WORKERS = "jobs.view_job", "jobs.view_queue", "jobs.view_worker"
SEE_MODELS, SEE_DOWNLOADS = "registry.view_model", "downloader.view_download"
SEE_DELIVERIES = "jobs.view_webhookdelivery"
VERIFIED_WITHIN = timedelta(hours=24)


@dataclass(frozen=True)
class Trouble:
    """`todo` says what helps; `where` is the page where it is done, if there is one."""

    level: str  # danger or warning
    title: str
    todo: str
    where: str
    count: int


@dataclass(frozen=True)
class Rule:
    """`one` and `many`: how it is told, with {n}. `page`: a named page of the admin."""

    right: str
    count: Callable[[], int]
    one: str
    many: str
    todo: str
    page: str
    query: str = ""
    level: str = "warning"


def told(has_right: Callable[[str], bool]) -> list[Trouble]:
    """What this person may see; the worst first."""
    found = [trouble for trouble in _found(has_right) if trouble.count]
    return sorted(found, key=lambda trouble: trouble.level != "danger")


def _found(has_right: Callable[[str], bool]) -> Iterator[Trouble]:
    for rule in RULES:
        if has_right(rule.right):
            count = rule.count()
            title = (rule.one if count == 1 else rule.many).format(n=f"{count:,}", free=_free())
            yield Trouble(rule.level, title, rule.todo, _page(rule), count)


def _page(rule: Rule) -> str:
    try:
        return reverse(f"admin:{rule.page}") + rule.query
    except NoReverseMatch:  # a page of an app that is not installed: told without a link
        return ""


def _free() -> str:
    return wording.size(figures.disk().free_bytes or 0)


def _low_disk() -> int:
    return int(figures.is_low())


def _idle_queues() -> int:
    """Work waits and nobody is there to do it."""
    queues = figures.queues()
    return sum(bool(q["depth"]) and not q["workers"] and not q["paused"] for q in queues)


def _paused_queues() -> int:
    return sum(queue["paused"] for queue in figures.queues())


@kept(figures.SOON_S)
def _failed_verifications() -> int:
    since = timezone.now() - VERIFIED_WITHIN
    failed = Job.objects.filter(type="verify", created_at__gte=since, status=State.FAILED)
    return failed.order_by()[:COUNTED].count()


@kept(figures.SOON_S)
def _undelivered() -> int:
    given_up = WebhookDelivery.objects.filter(status=Outcome.FAILED.value)
    return given_up.filter(created_at__gte=timezone.now() - DAY).order_by()[:COUNTED].count()


RULES = (
    Rule(
        SEE_MODELS,
        _low_disk,
        "Only {free} are free for models",
        "Only {free} are free for models",
        "Remove models, or raise the space under DF_MODELS_ROOT.",
        "registry_model_changelist",
        level="danger",
    ),
    Rule(
        SEE_JOBS,
        lambda: figures.work().dead,
        "1 job used up its attempts",
        "{n} jobs used up their attempts",
        "Requeue or discard them.",
        "jobs_job_changelist",
        "?dead=open",
        level="danger",
    ),
    Rule(
        SEE_WORKERS,
        _idle_queues,
        "Work waits in a queue without workers",
        "Work waits in {n} queues without workers",
        "Start a worker.",
        "jobs_queue_changelist",
        level="danger",
    ),
    Rule(
        SEE_MODELS,
        lambda: figures.models().mismatched,
        "1 model differs from its source",
        "{n} models differ from their sources",
        "Download them again, or decide about their files.",
        "registry_model_changelist",
        "?trust=mismatch",
        level="danger",
    ),
    Rule(
        SEE_MODELS,
        lambda: figures.models().missing,
        "1 model is not where it was installed",
        "{n} models are not where they were installed",
        "Verify them with repair, or remove them.",
        "registry_model_changelist",
        "?installed__exact=0",
    ),
    Rule(
        SEE_JOBS,
        _failed_verifications,
        "1 verification failed today",
        "{n} verifications failed today",
        "See which files differ.",
        "jobs_job_changelist",
        "?type=verify&status__exact=failed",
    ),
    Rule(
        SEE_MODELS,
        lambda: figures.disk().quarantined or 0,
        "1 file is in quarantine",
        "{n} files are in quarantine",
        "Look at what came, and decide about it.",
        "downloader_quarantine",
    ),
    Rule(
        SEE_DOWNLOADS,
        lambda: figures.hub().gone,
        "1 repository vanished at its source",
        "{n} repositories vanished at their sources",
        "What is here stays usable: keep a copy.",
        "downloader_repo_changelist",
        "?gone_at__isnull=False",
    ),
    Rule(
        SEE_DOWNLOADS,
        lambda: figures.hub().failing,
        "1 repository could not be read at its source",
        "{n} repositories could not be read at their sources",
        "See why, then sync again.",
        "downloader_repo_changelist",
        "?status__exact=error",
    ),
    Rule(
        SEE_DOWNLOADS,
        lambda: figures.hub().updates,
        "1 repository has an update",
        "{n} repositories have updates",
        "Look at what changed, then sync.",
        "downloader_repo_changelist",
        "?update_commit__gt=",
    ),
    Rule(
        SEE_QUEUES,
        _paused_queues,
        "A queue is paused",
        "{n} queues are paused",
        "Resume it when you are done.",
        "jobs_queue_changelist",
    ),
    Rule(
        SEE_DELIVERIES,
        _undelivered,
        "1 webhook message was given up today",
        "{n} webhook messages were given up today",
        "See what the receiver answered, then send again.",
        "jobs_webhookdelivery_changelist",
        "?status__exact=failed",
    ),
)
