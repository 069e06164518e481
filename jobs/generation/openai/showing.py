"""What a job has come to, as that API's clients read it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from rest_framework.response import Response

from jobs.generation import links
from jobs.generation.openai import errors
from jobs.models import Artifact, Job
from jobs.states import State

URL, B64_JSON = "url", "b64_json"
FORMS = (URL, B64_JSON)
CHUNK = 3 * 65_536  # whole groups of three, so that Base64 of the parts is that of the whole
NOT_READY, GONE, CONFLICT, FAULT = 504, 404, 409, 500
STATUS_BY_ERROR = {"invalid_input": 400, "invalid_model": 400}
FORMAT_NAMES = {"jpg": "jpeg"}


def outcome(job: Job, form: str, base: str) -> HttpResponseBase:
    """The images of a job that went well, else an error that names the job. `base` is the address
    under which the caller reached us."""
    if job.status == State.SUCCEEDED:
        return _images(job, form, base)
    if job.status in (State.FAILED, State.CANCELED):
        return _failed(job)
    return unfinished(job)


def unfinished(job: Job) -> Response:
    message = (
        f"The images are not finished. Job {job.pk} goes on: do not ask for them again, but GET "
        f"{reverse('openai-images-url', args=[job.pk])} later; /v1/jobs/{job.pk} shows how far it "
        "is."
    )
    return _error(NOT_READY, errors.body(message, errors.SERVER, "images_not_ready"))


def _failed(job: Job) -> Response:
    """Sent again it would draw again, so the clients are told not to do that by themselves."""
    if job.status == State.CANCELED:
        message = f"Job {job.pk} was canceled."
        return _error(CONFLICT, errors.body(message, errors.INVALID_REQUEST, "canceled"))
    status = STATUS_BY_ERROR.get(job.error_code, FAULT)
    kind = errors.SERVER if status == FAULT else errors.INVALID_REQUEST
    message = f"{job.error_message} (job {job.pk})"
    return _error(status, errors.body(message, kind, job.error_code))


def _images(job: Job, form: str, base: str) -> HttpResponseBase:
    artifacts = list(job.artifacts.order_by("item_index"))
    if len(artifacts) < job.params["count"] or not (form == URL or _all_stored(artifacts)):
        message = f"Images of job {job.pk} were removed in the meantime; ask for new ones."
        return _error(GONE, errors.body(message, errors.INVALID_REQUEST, "images_removed"))
    if form == B64_JSON:
        return StreamingHttpResponse(_encoded(job, artifacts), content_type="application/json")
    ttl_s = settings.PRESIGN_TTL_S
    data = [{"url": links.link(artifact, ttl_s, base).url} for artifact in artifacts]
    return Response({**_about(job), "data": data})


def _about(job: Job) -> dict[str, Any]:
    format = job.params["format"]
    return {
        "created": int(job.created_at.timestamp()),
        "background": "opaque",
        "output_format": FORMAT_NAMES.get(format, format),
        "size": f"{job.params['width']}x{job.params['height']}",
    }


def _all_stored(artifacts: Sequence[Artifact]) -> bool:
    return all(default_storage.exists(artifact.s3_key) for artifact in artifacts)


def _encoded(job: Job, artifacts: Sequence[Artifact]) -> Iterator[bytes]:
    """The whole answer in pieces: ten large images are never in memory together."""
    yield json.dumps(_about(job))[:-1].encode() + b', "data": ['
    for at, artifact in enumerate(artifacts):
        yield b', {"b64_json": "' if at else b'{"b64_json": "'
        with default_storage.open(artifact.s3_key) as file:
            while chunk := file.read(CHUNK):
                yield base64.b64encode(chunk)
        yield b'"}'
    yield b"]}"


def _error(status: int, body: dict[str, Any]) -> Response:
    return Response(body, status=status, headers=errors.NO_RETRY)
