"""Who may see which job, and what an error about a job carries."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import kinds, submission
from jobs.errors import NotAllowed
from jobs.kinds import Kind
from jobs.models import Job, JobQuerySet

CHANGE = "jobs.change_job"


class JobView(GenericAPIView[Job]):
    """A view of one job: somebody else's is not there, and errors name the job they are about."""

    scope = "jobs"
    queryset = Job.objects.none()
    query: dict[str, Any]
    found: Job | None = None

    def find(self, job_id: uuid.UUID) -> Job:
        if self.found is None:
            self.found = visible(self.request).filter(id=job_id).first()
        if self.found is None:
            raise Http404
        return self.found

    def find_to_change(self, job_id: uuid.UUID) -> Job:
        """Seeing another's job is not yet a right to act on it."""
        job = self.find(job_id)
        if job.owner_id != self.request.user.pk:
            require(self.request, CHANGE)
        return job

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Job.DoesNotExist):
            exc = Http404()  # it was removed while we looked
        response = super().handle_exception(exc)
        # A fault of the service is in the log under the request's id, so that one stays.
        if self.found is not None and response.status_code < 500:
            response.data["correlation_id"] = str(self.found.pk)
        return response


def caller(request: Request) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)


def visible(request: Request) -> JobQuerySet:
    return Job.objects.visible_to(request.user)


def require_scope(request: Request, kind: Kind) -> None:
    """The door of all jobs is no way around the scope that a kind has at its own."""
    scopes = getattr(request.auth, "scopes", None)  # None: the caller has no API key
    if scopes is not None and kind.scope not in scopes:
        raise NotAllowed(
            f"For jobs of type {kind.name!r} an API key needs the scope `{kind.scope}`, too."
        )


def closed_types(request: Request) -> list[str]:
    """The types of jobs that the caller, or its key, may not start."""
    return [kind.name for kind in kinds.table().values() if not _may_start(request, kind)]


def require_start(request: Request, kind: Kind) -> None:
    """Running a job again is starting it, also where it stays another's."""
    submission.check_permission(kind, caller(request))
    require_scope(request, kind)


def _may_start(request: Request, kind: Kind) -> bool:
    try:
        require_start(request, kind)
    except NotAllowed:
        return False
    return True


def to_change(request: Request) -> JobQuerySet:
    """The jobs that the caller may act on."""
    mine = Job.objects.filter(owner_id=request.user.pk)
    return visible(request) if request.user.has_perm(CHANGE) else mine


def require(request: Request, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise NotAllowed(f"This needs the permission {permission}.")


def require_staff(request: Request) -> None:
    if not getattr(request.user, "is_staff", False):
        raise NotAllowed("Queues are for staff.")
