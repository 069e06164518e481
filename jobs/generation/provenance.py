"""Whether an image was made here: what it says of itself, checked against keys and rows of ours.

Each job has a signing key of its own, derived from the installation's secret: the process that
draws can sign for its job and for no other.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.crypto import salted_hmac

from jobs.models import Artifact, Job
from runners import image_files, signatures
from runners.image_files import Described

SALT = "jobs.generation.provenance"
# What decides a picture; the rest of a request only says how to go about it.
REPEATABLE = (
    "prompt",
    "negative_prompt",
    "width",
    "height",
    "steps",
    "guidance",
    "scheduler",
    "seed",
    "model_id",
)


class Word(StrEnum):
    AUTHENTIC = "authentic"  # made here, and as it was made
    ALTERED = "altered"  # it claims to be ours, and it or its record was changed
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    verdict: Word
    message: str
    record: Mapping[str, Any] | None = None
    job_id: uuid.UUID | None = None
    artifact_id: uuid.UUID | None = None
    request: Mapping[str, Any] | None = None  # makes it again


def key_of(job_id: str) -> str:
    mac = salted_hmac(SALT, job_id, algorithm=hashlib.sha256().name)
    return mac.hexdigest()


def judge(data: bytes, visible: Any) -> Verdict:
    """`visible`: the jobs whose rows may be told of. NotAnImage for other files."""
    image = image_files.read(data)
    pixels = hashlib.sha256(image.rgb).hexdigest()
    if image.record is None:
        return _by_pixels(pixels, visible)
    return _by_record(image, image.record, pixels, visible)


def _by_record(image: Described, record: Mapping[str, Any], pixels: str, visible: Any) -> Verdict:
    job_id = _uuid(record.get("job_id"))
    if job_id is None or not signatures.is_genuine(record, key_of(str(job_id))):
        if record.get(signatures.FIELD):
            message = "What the image says of itself was changed, or was signed elsewhere."
            return Verdict(Word.ALTERED, message, record)
        return Verdict(Word.UNKNOWN, "What the image says of itself is not signed here.", record)
    if record.get("pixels_sha256") != pixels:
        message = "The image was made here, and its picture was changed since."
        return Verdict(Word.ALTERED, message, record, job_id)
    artifact = Artifact.objects.filter(job__in=visible, job_id=job_id, pixels_sha256=pixels).first()
    return Verdict(
        Word.AUTHENTIC,
        "The image was made here and is as it was made.",
        record,
        job_id,
        artifact.pk if artifact else None,
        again(record),
    )


def _by_pixels(pixels: str, visible: Any) -> Verdict:
    """An image that says nothing any more is known by its picture."""
    artifact = (
        Artifact.objects.filter(job__in=visible, pixels_sha256=pixels).select_related("job").first()
    )
    if artifact is None:
        return Verdict(
            Word.UNKNOWN, "The image says nothing of itself, and its picture is not known."
        )
    job: Job = artifact.job
    record = {**job.params, "seed": artifact.seed, "job_id": str(job.pk)}
    message = "The picture was made here; what the file said of itself was taken away."
    return Verdict(Word.AUTHENTIC, message, record, job.pk, artifact.pk, again(record))


def again(record: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request that draws this one image again."""
    kept = {name: record[name] for name in REPEATABLE if record.get(name) is not None}
    return {"type": "generate", **kept, "count": 1}


def _uuid(text: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
