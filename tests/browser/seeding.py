"""A service in the middle of its day, as rows: `python -m tests.browser.seeding` in the environment
of a site. Times count back from now, everything else is the same each time, ids included.

Much of it is hostile: markup, words from right to left, words without a break, emoji.
"""

from __future__ import annotations

import os
import random
import struct
import uuid
import zlib
from datetime import datetime, timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")

MARKUP = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
BACKWARDS = "\u202e\u05ea\u05de\u05d5\u05e0\u05d4\u202c \u0645\u0631\u062d\u0628\u0627 end"
ENDLESS = "w" * 10_000
FACES = "🦊🔥👩‍👩‍👧‍👦 e\u0301"
HOSTILE = f"{MARKUP} {BACKWARDS} {FACES} {ENDLESS}"
PLACE = uuid.UUID("0d3a5e4e-0000-4000-8000-000000000000")
OPERATOR = ("operator", "a password of the operator")
VIEWER = ("viewer", "a password of the viewer")
PROMPTS = (
    "a lighthouse in a storm, oil on canvas",
    "portrait of an old fisherman, soft window light",
    "isometric city at night, neon rain",
    "a bowl of ripe figs, still life",
    "snow on a mountain village, dawn",
)
WORKER = "gpu@forge/411/2210/a1b2c3d4"


def id_of(name: str) -> str:
    return str(uuid.uuid5(PLACE, name))


def main() -> None:
    import django

    django.setup()
    sow()


def sow(jobs_of_the_day: int = 300) -> None:
    from django.utils import timezone

    now = timezone.now()
    people = _people()
    model_id = _models(now)
    _workers(now, model_id)
    _day(now, people[0], model_id, jobs_of_the_day)
    _hostile_jobs(now, people[0], model_id)
    _drawn(now, people[0], model_id)
    _downloads(now, people[0])
    _repositories(now)
    _actions(people[0])


def _people() -> list[Any]:
    from django.contrib.auth.models import Group

    from dreamforge_site.accounts.models import User

    made = []
    for (name, password), group in ((OPERATOR, "operators"), (VIEWER, "viewers")):
        user = User.objects.create_user(name, password=password, is_staff=True)
        user.groups.set(Group.objects.filter(name=group))
        made.append(user)
    return made


def _models(now: datetime) -> uuid.UUID:
    from registry.models import Model

    def model(name: str, **facts: Any) -> Model:
        told: dict[str, Any] = {
            "id": id_of(f"model {name}"),
            "name": name,
            "kind": "sdxl-checkpoint",
            "version": "1.0",
            "installed": True,
            "trust": "verified",
            "checkpoint_hash": f"sha256:{'ab' * 32}",
            "size_bytes": 6_900_000_000,
            "source_uri": f"hf:forge/{name[:40]}@{'c0' * 20}",
            "local_path": f"sdxl-checkpoint/{id_of(name)}@1.0",
            "search_text": name.lower(),
            "files_json": [
                {
                    "path": "model.safetensors",
                    "sha256": "ab" * 32,
                    "size": 6_900_000_000,
                    "trust": facts.get("trust", "verified"),
                }
            ],
        }
        return Model(**{**told, **facts})

    Model.objects.bulk_create(
        [
            model("epicrealism-xl", enabled=True, is_default=True, last_used_at=now),
            model("painter-xl", enabled=True, size_bytes=7_100_000_000),
            model("lost-and-found", installed=False),
            model("someone-changed-me", trust="mismatch"),
            model(HOSTILE[:190], kind="lora", size_bytes=220_000_000),
        ]
    )
    _blobs()
    return uuid.UUID(id_of("model epicrealism-xl"))


def _blobs() -> None:
    """Files with nothing in them but their length."""
    from downloader import configured

    for number, size in enumerate((6_900_000_000, 7_100_000_000)):
        blob = configured.store().blob(f"{number:064x}")
        blob.parent.mkdir(parents=True, exist_ok=True)
        with blob.open("wb") as file:
            file.truncate(size)


def _workers(now: datetime, model_id: uuid.UUID) -> None:
    """Seen in the future: they stay alive as long as somebody looks."""
    from jobs import queueing
    from jobs.models import Worker

    later = now + timedelta(days=1)
    Worker.objects.create(
        id=WORKER,
        queue="gpu",
        slots=2,
        devices=["0", "1"],
        device_facts={"0": {"label": "NVIDIA H100", "total": 80 * 2**30, "used": 13 * 2**30}},
        warm_models=[str(model_id)],
        started_at=now - timedelta(hours=7),
        seen_at=later,
        version="0.1.0",
    )
    Worker.objects.create(id="io@forge/412/2211/e5f6a7b8", queue="io", slots=4, seen_at=later)
    Worker.objects.create(id="io@forge/9/1/00000000", queue="io", seen_at=now - timedelta(hours=1))
    queueing.pause("io", f"a new disk {MARKUP}")


def a_job(name: str, status: str, made: datetime, **facts: Any) -> Any:
    from jobs.models import Job
    from jobs.states import TERMINAL

    started = facts.pop("started_at", made + timedelta(seconds=2))
    told: dict[str, Any] = {
        "id": id_of(f"job {name}"),
        "type": "generate",
        "queue": "gpu",
        "status": status,
        "params": {"prompt": PROMPTS[0], "steps": 30, "width": 1024, "height": 1024},
        "created_at": made,
        "available_at": made,
        "updated_at": made,
    }
    if status != "queued":
        told |= {"started_at": started, "attempts": 1}
    if status in TERMINAL:
        told |= {"finished_at": started + timedelta(seconds=9)}
    if status == "running":
        told |= {"lease_holder": WORKER, "progress": 0.42}
    if status == "succeeded":
        told |= {"progress": 1.0, "summary": {"count": 1, "completed": 1}}
    return Job(**{**told, **facts})


def _day(now: datetime, owner: Any, model_id: uuid.UUID, count: int) -> None:
    """As many jobs over the day, as a day goes."""
    from jobs.models import Job

    chance = random.Random(7)
    jobs = []
    for number in range(count):
        made = now - timedelta(minutes=chance.triangular(2, 24 * 60, 300))
        waited, ran = chance.expovariate(1 / 4), chance.gauss(9, 2)
        status = chance.choices(("succeeded", "failed", "canceled"), (90, 6, 4))[0]
        started = made + timedelta(seconds=waited)
        facts = (
            {"error_code": "oom", "error_message": "Out of memory."} if status == "failed" else {}
        )
        job = a_job(
            f"day {number}",
            status,
            made,
            started_at=started,
            owner=owner,
            model_id=model_id,
            params={"prompt": chance.choice(PROMPTS), "steps": 30},
            **facts,
        )
        job.finished_at = started + timedelta(seconds=max(0.5, ran))
        jobs.append(job)
    Job.objects.bulk_create(jobs)


def _hostile_jobs(now: datetime, owner: Any, model_id: uuid.UUID) -> None:
    from jobs import events
    from jobs.events import Note
    from jobs.models import Job, Step

    def made(minutes: float) -> datetime:
        return now - timedelta(minutes=minutes)

    facts: dict[str, Any] = {"owner": owner, "model_id": model_id}
    failure = {
        "error_code": "worker_lost",
        "error_message": HOSTILE,
        "error_detail": f"Traceback (most recent call last):\n  {HOSTILE}",
        "params": {"prompt": HOSTILE, "negative_prompt": BACKWARDS, "steps": 30},
        "request_id": "r" * 128,
    }
    dead = {**failure, "dead_at": made(4), "attempts": 3}
    Job.objects.bulk_create(
        [
            a_job("dead", "failed", made(5), **facts, **dead),
            a_job("dead too", "failed", made(6), **facts, **dead),
            a_job("running", "running", made(1), **facts),
            a_job("queued", "queued", made(0.5), **facts, params={"prompt": PROMPTS[2]}),
        ]
    )
    for name in ("dead", "running"):
        job_id = uuid.UUID(id_of(f"job {name}"))
        status = "failed" if name == "dead" else "running"
        Step.objects.create(job_id=job_id, name="generate", position=0, status="queued")
        Step.objects.filter(job_id=job_id).update(status=status, started_at=made(1))
        notes = [
            Note("job.queued", "The job waits."),
            Note("job.start", "The job starts.", payload={"worker": WORKER}),
            Note("note", HOSTILE[:3000], "warning", {"told": MARKUP, "long": ENDLESS}),
            Note("retry.scheduled", f"Tries again. {MARKUP}", "warning"),
            *(Note("progress", "", payload={"progress": n / 40}, item_index=0) for n in range(40)),
        ]
        ending = Note("job.finish", "The job failed.", "error", {"status": "failed"})
        events.append(job_id, [*notes, ending] if name == "dead" else notes)


def _drawn(now: datetime, owner: Any, model_id: uuid.UUID) -> None:
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from jobs import events
    from jobs.events import Note
    from jobs.models import Artifact, Job, Step
    from jobs.thumbnails import key_of

    made = now - timedelta(minutes=3)
    job = a_job("drawn", "succeeded", made, owner=owner, model_id=model_id)
    job.params = {**job.params, "count": 4}
    Job.objects.bulk_create([job])
    step = Step.objects.create(job=job, name="generate", position=0, status="succeeded")
    for index in range(4):
        png = picture(index)
        key = default_storage.save(f"dreamforge/seed/{index}.png", ContentFile(png))
        if has_thumbnail := index < 3:  # the last is of an earlier version
            default_storage.save(key_of(key), ContentFile(small(png)))
        Artifact.objects.create(
            id=id_of(f"artifact {index}"),
            job=job,
            step=step,
            item_index=index,
            s3_key=key,
            format="png",
            content_type="image/png",
            width=256,
            height=256,
            seed=1000 + index,
            sha256=f"{index:064x}",
            size_bytes=len(png),
            has_thumbnail=has_thumbnail,
        )
    start = Note("job.start", "The job starts.", payload={"worker": WORKER})
    end = Note("job.finish", "The job succeeded.", payload={"status": "succeeded"})
    events.append(uuid.UUID(str(job.pk)), [Note("job.queued", "The job waits."), start, end])


def _downloads(now: datetime, owner: Any) -> None:
    from django.utils import timezone

    from downloader.models import Download, DownloadFile
    from jobs.models import Job

    def job(name: str, status: str, minutes: float, **facts: Any) -> Any:
        told: dict[str, Any] = {
            "type": "download",
            "queue": "io",
            "params": {"ref": "hf:forge/painter-xl@main"},
            "owner": owner,
            "model_id": None,
        }
        return a_job(name, status, now - timedelta(minutes=minutes), **told, **facts)

    broken = {"error_code": "upstream_error", "error_message": "The hub did not answer."}
    Job.objects.bulk_create(
        [
            job("fetching", "running", 4),
            job("fetched", "succeeded", 90),
            job("broken off", "failed", 95, **broken),
        ]
    )
    later = timezone.now() + timedelta(days=1)  # told this moment, for as long as somebody looks
    whole = 6_900_000_000
    for name, done, rate in (
        ("fetching", 2_900_000_000, 84_000_000),
        ("fetched", whole, 0),
        ("broken off", 1_200_000_000, 0),
    ):
        download = Download.objects.create(
            job_id=id_of(f"job {name}"),
            title=f"forge/painter-xl {BACKWARDS if rate else ''}",
            source_uri=f"hf:forge/painter-xl@{'c0' * 20}",
            bytes_done=done,
            bytes_total=whole,
            bytes_received=done,
            rate_bps=rate,
            updated_at=later,
        )
        DownloadFile.objects.create(
            download=download,
            path=f"unet/{MARKUP}{ENDLESS[:600]}.safetensors",
            status="downloading" if rate else "done" if done == whole else "failed",
            size_bytes=whole,
            bytes_done=done,
        )


def _repositories(now: datetime) -> None:
    from tests.browser import seeded_repositories

    seeded_repositories.sow(now)


def _actions(owner: Any) -> None:
    from jobs.models import Queue
    from registry import auditing

    queue = Queue.objects.get(name="io")
    for line in ("paused: open → paused (a new disk).", HOSTILE):
        auditing.note(queue, owner, line)


def picture(number: int, side: int = 256) -> bytes:
    """A PNG of embers, another one for each number."""
    rows = bytearray()
    for y in range(side):
        rows.append(0)
        for x in range(side):
            glow = ((x - 60 - 30 * number) ** 2 + (y - 150) ** 2) / (side * side)
            heat = max(0, int(255 - 420 * glow))
            rows += bytes((heat, heat * (3 + number) // 8, (y + 40 * number) % 256 // 4))
    facts = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", facts), (b"IDAT", zlib.compress(bytes(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def small(png: bytes) -> bytes:
    from runners import image_files, thumbnails
    from runners.engines.base import Picture

    image = image_files.read(png)
    return thumbnails.encode(Picture(image.width, image.height, image.rgb))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


if __name__ == "__main__":
    main()
