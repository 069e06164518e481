"""10,000 rows of everything that a page lists, made by the database itself: in some seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model as Row
from django.utils import timezone
from django_celery_results.models import GroupResult, TaskResult

from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.models import Download, DownloadFile
from dreamforge_site.accounts.models import ApiKey, SignIn, User
from jobs.models import Artifact, Event, Job, Step, Worker
from jobs.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from registry.models import Model

MANY = 10_000
FEW = 4  # fewer than a page has: a question for each row would show
FEW_IMAGES = 30  # more than a job's page shows: only then it counts the others
IMAGES = 500
MODEL_FILES = 2_000
GROUPS = 200  # people make them, by hand
OLDER = {
    "postgresql": "{} - n * interval '1 second'",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', {}, -n || ' seconds')",
}
NEW_ID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}


@dataclass(frozen=True)
class Kind:
    """How copies of a row differ from it: keys of their own, columns with a number at the end,
    numbers counted up, moments counted down."""

    row: Row
    fresh: tuple[str, ...] = ("id",)
    numbered: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    older: tuple[str, ...] = ("created_at",)
    few: int = FEW
    most: int = MANY


@dataclass
class Rows:
    """One of each, as the pages' addresses name it."""

    boss: User
    job: Job
    download: Download
    repo: Repo
    snapshot: Snapshot
    model: Model
    delivery: WebhookDelivery
    image: Artifact
    kinds: list[Kind] = field(default_factory=list)


def one_of_each() -> Rows:
    boss = User.objects.create_superuser("boss")
    job, fetched = _job("generate", "gpu", boss), _job("download", "io", boss)
    download = Download.objects.create(job=fetched, title="a model", bytes_done=1)
    repo = Repo.objects.create(author="acme", name="xl", revision="main", status="synced")
    snapshot = Snapshot.objects.create(repo=repo, commit="c" * 40, file_count=MANY, folder="f")
    Repo.objects.filter(pk=repo.pk).update(snapshot=snapshot)
    endpoint = WebhookEndpoint.objects.create(owner=boss, url="https://example.org/")
    delivery = WebhookDelivery.objects.create(
        owner=boss, endpoint=endpoint, event="job.failed", url=endpoint.url, attempts=IMAGES
    )
    made = Rows(boss, job, download, repo, snapshot, _model(), delivery, _image(job))
    made.kinds = [*_work(made, fetched), *_hub(made), *_callers(made), *_messages(made, endpoint)]
    return made


def _job(type_name: str, queue: str, owner: User) -> Job:
    now = timezone.now()
    facts: dict[str, Any] = {"status": "succeeded", "started_at": now, "finished_at": now}
    return Job.objects.create(type=type_name, queue=queue, owner=owner, created_at=now, **facts)


def _image(job: Job) -> Artifact:
    step = Step.objects.create(job=job, name="draw", position=0)
    facts = {"format": "png", "content_type": "image/png", "width": 64, "height": 64, "seed": 1}
    return Artifact.objects.create(
        job=job, step=step, item_index=0, s3_key="k", sha256="b" * 64, size_bytes=1, **facts
    )


def _model() -> Model:
    files = [
        {"path": f"{n}.safetensors", "sha256": "a" * 64, "size": 1, "trust": "verified"}
        for n in range(MODEL_FILES)
    ]
    facts = {"installed": True, "enabled": True, "trust": "verified", "local_path": "vae/m@1"}
    return Model.objects.create(
        name="m", kind="vae", version="1", source_uri="hf:acme/m", files_json=files, **facts
    )


def _work(made: Rows, fetched: Job) -> list[Kind]:
    job = made.job
    event = Event.objects.create(job=job, seq=1, code="progress", message="a step")
    file = DownloadFile.objects.create(download=made.download, path="a", size_bytes=1)
    worker = Worker.objects.create(
        id="w", queue="io", seen_at=timezone.now() - timedelta(minutes=5)
    )
    return [
        Kind(job, older=("created_at", "available_at", "started_at")),
        Kind(fetched, older=("created_at", "available_at", "started_at")),
        Kind(event, counted=("seq",), older=("ts",)),
        Kind(
            made.image, numbered=("s3_key",), counted=("item_index",), few=FEW_IMAGES, most=IMAGES
        ),
        Kind(file, numbered=("path",), older=()),
        Kind(worker, fresh=(), numbered=("id",), older=("seen_at",)),
    ]


def _hub(made: Rows) -> list[Kind]:
    file = RepoFile.objects.create(snapshot=made.snapshot, path="a", size_bytes=1)
    other = Repo.objects.create(author="acme", name="n", revision="main")
    small = Model.objects.create(
        name="n", kind="vae", version="1", source_uri="hf:acme/n", installed=True, enabled=True,
        trust="verified", local_path="vae/n@1",
    )  # fmt: skip
    return [
        Kind(file, numbered=("path",), older=()),
        Kind(other, numbered=("name",)),
        Kind(made.snapshot, numbered=("commit",), older=("taken_at",)),
        Kind(small, numbered=("name", "local_path")),
    ]


def _callers(made: Rows) -> list[Kind]:
    boss = made.boss
    somebody = User.objects.create_user("somebody", is_staff=True)
    now = timezone.now()
    key = ApiKey.objects.create(owner=boss, name="k", prefix="p", digest="d", scopes=["read"])
    sign_in = SignIn.objects.create(user=boss, password_mark="m", expires_at=now)
    done = TaskResult.objects.create(task_id="t", task_name="beat", status="SUCCESS")
    group_done = GroupResult.objects.create(group_id="g")
    entry = LogEntry.objects.create(
        user=boss, content_type=ContentType.objects.get_for_model(Model),
        object_id=str(made.model.pk), object_repr="x", action_flag=CHANGE, change_message="changed",
    )  # fmt: skip
    return [
        Kind(somebody, numbered=("username", "name_key"), older=("date_joined",)),
        Kind(Group.objects.create(name="crew"), numbered=("name",), older=(), most=GROUPS),
        Kind(key, numbered=("prefix",)),
        Kind(sign_in),
        Kind(done, numbered=("task_id",), older=("date_created", "date_done")),
        Kind(group_done, numbered=("group_id",), older=("date_created", "date_done")),
        Kind(entry, older=("action_time",)),
    ]


def _messages(made: Rows, endpoint: WebhookEndpoint) -> list[Kind]:
    attempt = WebhookAttempt.objects.create(delivery=made.delivery, number=1)
    return [
        Kind(endpoint),
        Kind(made.delivery),
        Kind(attempt, counted=("number",), older=("started_at",), most=IMAGES),
    ]


def add_few(made: Rows) -> None:
    _add(made, [(kind, 1, kind.few - 1) for kind in made.kinds])


def add_many(made: Rows) -> None:
    _add(made, [(kind, kind.few, kind.most - 1) for kind in made.kinds])


def _add(made: Rows, copies: list[tuple[Kind, int, int]]) -> None:
    for kind, first, last in copies:
        _copy(kind, first, last)
    _one_for_each_job(made.download, {"job_id": "job.id", "created_at": "job.created_at"})
    fresh = {"id": NEW_ID[connection.vendor], "s3_key": "'of ' || job.id"}
    _one_for_each_job(made.image, {"job_id": "job.id", **fresh})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _copy(kind: Kind, first: int, last: int) -> None:
    meta = kind.row._meta
    by_itself = {"AutoField", "BigAutoField"}
    fields = [f for f in meta.concrete_fields if f.get_internal_type() not in by_itself]
    chosen = ", ".join(_value(kind, str(f.column)) for f in fields)
    names = ", ".join(f'"{f.column}"' for f in fields)
    with connection.cursor() as cursor:
        key = meta.pk.get_db_prep_value(kind.row.pk, connection)
        cursor.execute(
            f"INSERT INTO {meta.db_table} ({names}) WITH RECURSIVE numbers(n) AS"  # noqa: S608  all ours
            f" (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
            f" SELECT {chosen} FROM {meta.db_table}, numbers"
            f" WHERE {meta.db_table}.{meta.pk.column} = %s",
            [key],
        )


def _value(kind: Kind, column: str) -> str:
    name = f'"{column}"'
    if column in kind.fresh:
        return NEW_ID[connection.vendor]
    if column in kind.numbered:
        return f"{name} || '-' || n"
    if column in kind.counted:
        return f"{name} + n"
    return OLDER[connection.vendor].format(name) if column in kind.older else name


def _one_for_each_job(row: Row, own: dict[str, str]) -> None:
    """A copy for every job of the same type that has none; `own`: the columns that are its own."""
    meta = row._meta
    columns = [str(field.column) for field in meta.concrete_fields]
    names = ", ".join(f'"{column}"' for column in columns)
    chosen = ", ".join(own.get(column, f'one."{column}"') for column in columns)
    key = f"one.{meta.pk.column}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {meta.db_table} ({names}) SELECT {chosen}"  # noqa: S608  all ours
            f" FROM {meta.db_table} one JOIN jobs_job its ON its.id = one.job_id"
            " JOIN jobs_job job ON job.type = its.type"
            f" WHERE {key} = %s AND NOT EXISTS"
            f" (SELECT 1 FROM {meta.db_table} other WHERE other.job_id = job.id)",
            [meta.pk.get_db_prep_value(row.pk, connection)],
        )
