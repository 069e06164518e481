"""The operations of that API. It documents itself: none of them stands in our own document."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponseBase
from django.urls import reverse
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from jobs import idempotency, submission
from jobs.api.access import caller, visible
from jobs.api.answers import HANDOFF, PREFER_WAIT, accepted, held_back
from jobs.errors import InvalidParams
from jobs.generation.kind import KIND
from jobs.generation.openai import callers, naming, parameters, showing
from jobs.idempotency import Keep, Reply
from jobs.models import Job

_JSON_PARSER: Any = api_settings.DEFAULT_PARSER_CLASSES[0]
_JSON_RENDERER: Any = api_settings.DEFAULT_RENDERER_CLASSES[0]
KEPT_IN = "openai.images"  # where the Idempotency-Keys of these requests are kept
ADDRESS_BY_FORM = {showing.URL: "openai-images-url", showing.B64_JSON: "openai-images-b64"}


class Door(GenericAPIView[Any]):
    authentication_classes = [callers.KeyAuthentication, callers.OPEN]
    parser_classes = [_JSON_PARSER]
    renderer_classes = [_JSON_RENDERER]
    schema = None
    scope = "jobs"


class GenerationsView(Door):
    serializer_class = parameters.ImagesSerializer

    def post(self, request: Request) -> HttpResponseBase:
        """Draws and answers with the images; holds no thread while it waits."""
        callers.require_read(request)
        checked = self.get_serializer(data=request.data)
        checked.is_valid(raise_exception=True)
        asked = checked.validated_data
        reply = idempotency.once_along(
            caller=str(request.user.pk),
            scope=KEPT_IN,
            key=idempotency.checked(request.headers.get(idempotency.HEADER)),
            body=request.data,
            work=lambda keep: _submit(request, asked, keep),
        )
        return _held(request, reply, asked.get("response_format") or showing.URL)


class ImagesView(Door):
    """The images of a job: what the answer above is made of, and where it is when the time was
    up."""

    form = ""

    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        job = visible(request).filter(id=job_id, type=KIND.name).first()
        if job is None:
            raise Http404
        return showing.outcome(job, self.form, request.build_absolute_uri("/").rstrip("/"))


class ModelsView(Door):
    def get(self, request: Request) -> Response:
        return Response(
            {"object": "list", "data": [naming.shown(model) for model in naming.listed()]}
        )


class ModelView(Door):
    def get(self, request: Request, name: str) -> Response:
        model = naming.found(name)
        if model is None:
            raise naming.UnknownModel(name)
        return Response(naming.shown(model))


def _submit(request: Request, asked: dict[str, Any], keep: Keep) -> Reply:
    params = parameters.job_params(asked)
    try:
        job = submission.submit(
            KIND.name, params, caller(request), along=lambda job: keep(accepted(job))
        )
    except InvalidParams as error:
        raise parameters.refused(error, asked) from None
    return accepted(job)


def _held(request: Request, reply: Reply, form: str) -> HttpResponseBase:
    """The answer that the job's end will give; `Prefer: wait=N` shortens the wait."""
    job = Job.objects.filter(pk=reply.answer["job"]["id"]).first()
    if job is None:  # made under the same key long ago, and removed since
        raise Http404
    address = ADDRESS_BY_FORM[form]
    first = Response(headers={"Location": reverse(address, args=[job.pk])})
    wait = (
        {}
        if PREFER_WAIT.search(request.headers.get("Prefer", ""))
        else {"wait": settings.OPENAI_WAIT_S}
    )
    held = held_back(request, wait, first, str(job.pk), view=address)
    return held if HANDOFF in held else showing.unfinished(job)
