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

from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from jobs.generation import image_parts
from jobs.models import Artifact, Job
from runners import image_files, signatures
from runners.image_files import Described, NotAnImage

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
    "format",
    # Of the job; the image does not tell them.
    "embed_metadata",
    "preset",
    "provider",
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
    if image_parts.too_many(data):
        raise NotAnImage("made of more pieces than any image that is made here")
    image = image_files.read(data)
    pixels = hashlib.sha256(image.rgb).hexdigest()
    known = Artifact.objects.filter(job__in=visible, pixels_sha256=pixels).select_related("job")
    if image.record is None:
        return _by_picture(_newest(known))
    return _by_record(image, image.record, pixels, known)


def _by_record(
    image: Described, record: Mapping[str, Any], pixels: str, known: QuerySet[Artifact]
) -> Verdict:
    job_id = _uuid(record.get("job_id"))
    if job_id is None or not signatures.is_genuine(record, key_of(str(job_id))):
        return _not_signed_here(record, _newest(known))
    if record.get("pixels_sha256") != pixels:
        message = "The image was made here, and its picture was changed since."
        return Verdict(Word.ALTERED, message, record, job_id)
    artifact = _newest(known.filter(job_id=job_id))
    asked: Mapping[str, Any] = artifact.job.params if artifact else {}
    return Verdict(
        Word.AUTHENTIC,
        "The image was made here and is as it was made.",
        record,
        job_id,
        artifact.pk if artifact else None,
        again({**asked, **record, "format": image.format}),
    )


def _not_signed_here(record: Mapping[str, Any], artifact: Artifact | None) -> Verdict:
    """The picture may be ours all the same."""
    if artifact is not None:
        message = "The picture was made here; what the file says of itself was not written here."
        return _of_row(Word.ALTERED, message, record, artifact)
    if record.get(signatures.FIELD):
        message = "What the image says of itself was changed, or was signed elsewhere."
        return Verdict(Word.ALTERED, message, record)
    return Verdict(Word.UNKNOWN, "What the image says of itself is not signed here.", record)


def _by_picture(artifact: Artifact | None) -> Verdict:
    """An image that says nothing any more is known by its picture."""
    if artifact is None:
        message = "The image says nothing of itself, and its picture is not known."
        return Verdict(Word.UNKNOWN, message)
    message = "The picture was made here; what the file said of itself was taken away."
    return _of_row(Word.AUTHENTIC, message, _row(artifact), artifact)


def _of_row(word: Word, message: str, record: Mapping[str, Any], artifact: Artifact) -> Verdict:
    request = again(_row(artifact))
    return Verdict(word, message, record, artifact.job_id, artifact.pk, request)


def _newest(artifacts: QuerySet[Artifact]) -> Artifact | None:
    return artifacts.order_by("-created_at", "-id").first()


def _row(artifact: Artifact) -> dict[str, Any]:
    """What our own rows know of it."""
    job: Job = artifact.job
    return {**job.params, "seed": artifact.seed, "job_id": str(job.pk)}


def again(record: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request that draws this one image again."""
    kept = {name: record[name] for name in REPEATABLE if record.get(name) is not None}
    return {"type": "generate", **kept, "count": 1}


def _uuid(text: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
