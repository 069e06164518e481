"""The addresses of the protocol. Bytes and waiting are handed over to the front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote, urlencode

from django.http import HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.request import Request

from downloader.hub.errors import HubError
from downloader.hub.models import Repo
from downloader.hub.serving import (
    addresses,
    asking,
    delivery,
    descriptions,
    door,
    holdings,
    paging,
    pulling,
    refusals,
)
from downloader.hub.serving.addresses import Reading
from downloader.hub.serving.holdings import Held, Shelf
from jobs.errors import NotAllowed

MOST_PATHS = 1000
TRUE = ("true", "1", "True")


class ModelView(door.MirrorView):
    """`/hf/api/models/{repo}…`: what is known of a repository here."""

    def get(self, request: Request, path: str) -> HttpResponse:
        reading, repos = asking.found(request, addresses.of_api(path))
        answers: dict[str, Callable[[Request, Reading, list[Repo]], HttpResponse]] = {
            "": _info,
            "revision": _info,
            "refs": _refs,
            "tree": _tree,
        }
        if reading.verb not in answers:
            raise exceptions.MethodNotAllowed("GET")
        try:
            return answers[reading.verb](request, reading, repos)
        except asking.Waiting as waiting:
            return waiting.response

    def post(self, request: Request, path: str) -> HttpResponse:
        reading, repos = asking.found(request, addresses.of_api(path))
        if reading.verb != "paths-info":
            raise exceptions.MethodNotAllowed("POST")
        on = asking.standing(request, reading.repo_id, repos, reading.rest or "main")
        lines = descriptions.entries(_files(request, on), _asked_paths(request))
        return JsonResponse(lines, safe=False, headers={"X-Repo-Commit": on.commit})


def _files(request: Request, on: Shelf) -> list[Held]:
    """Where what is missing is pulled, the list shows it, so that clients ask for it."""
    return holdings.files(on, also_missing=asking.may_pull(request))


def _info(request: Request, reading: Reading, repos: list[Repo]) -> HttpResponse:
    revision = reading.rest or request.GET.get("revision") or "main"
    on = asking.standing(request, reading.repo_id, repos, revision)
    blobs = request.GET.get("blobs") in TRUE
    told = descriptions.info(on, _files(request, on), blobs=blobs)
    wanted = [*request.GET.getlist("expand"), *request.GET.getlist("expand[]")]
    if wanted:
        told = {name: fact for name, fact in told.items() if name in ("_id", "id", *wanted)}
    return JsonResponse(told, headers={"X-Repo-Commit": on.commit})


def _refs(request: Request, reading: Reading, repos: list[Repo]) -> HttpResponse:
    if not repos:
        raise refusals.no_repository(reading.repo_id)
    shelves = [(repo.revision, holdings.shelf([repo], repo.revision)) for repo in repos]
    wanted = request.GET.get("include_prs") in TRUE
    told = descriptions.refs([(r, on) for r, on in shelves if on], pull_requests=wanted)
    return JsonResponse(told)


def _tree(request: Request, reading: Reading, repos: list[Repo]) -> HttpResponse:
    rest = reading.rest or "main"
    revision, folder = addresses.revision_and_path(rest, holdings.names(repos))
    folder = folder.strip("/")
    on = asking.standing(request, reading.repo_id, repos, revision)
    recursive = request.GET.get("recursive") in TRUE
    lines = descriptions.tree(_files(request, on), folder, recursive=recursive)
    if folder and not lines:
        raise refusals.no_entry(folder, on.commit, "is no folder here.")
    page, cursor = paging.page(lines, request.GET)
    response = JsonResponse(page, safe=False, headers={"X-Repo-Commit": on.commit})
    if cursor:
        response["Link"] = f'<{_next(request, reading, on, folder, cursor)}>; rel="next"'
    return response


def _next(request: Request, reading: Reading, on: Shelf, folder: str, cursor: str) -> str:
    """By commit: the pages are of one tree, though the branch moves meanwhile."""
    path = quote(f"/hf/api/models/{reading.repo_id}/tree/{on.commit}/{folder}".rstrip("/"))
    kept = {name: request.GET.getlist(name) for name in request.GET if name != "cursor"}
    query = urlencode({**kept, "cursor": [cursor]}, doseq=True)
    return request.build_absolute_uri(f"{path}?{query}")


def _asked_paths(request: Request) -> list[str]:
    data = request.data
    paths = data.getlist("paths") if hasattr(data, "getlist") else None
    if paths is None and isinstance(data, dict):
        paths = data.get("paths")
    paths = [paths] if isinstance(paths, str) else paths
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise refusals.bad_request("`paths` must be a list of paths.")
    if len(paths) > MOST_PATHS:
        raise refusals.bad_request(f"At most {MOST_PATHS} paths at once.")
    return paths


class FileView(door.MirrorView):
    """`/hf/{repo}/resolve/{revision}/{path}`."""

    def get(self, request: Request, path: str) -> HttpResponse:
        reading, repos = asking.found(request, addresses.of_file(path))
        revision, name = addresses.revision_and_path(reading.rest, holdings.names(repos))
        try:
            on = asking.standing(request, reading.repo_id, repos, revision)
            return _resolve(request, on, name)
        except asking.Waiting as waiting:
            return waiting.response

    head = get


def _resolve(request: Request, on: Shelf, path: str) -> HttpResponse:
    head = request.method == "HEAD"
    may_pull = asking.may_pull(request)
    held = holdings.file(on, path, also_missing=may_pull)
    if held is None:
        raise refusals.no_entry(path, on.commit, _missing_because(on, path))
    if held.is_here:
        return delivery.answer(held, on.commit, request.headers, head=head)
    if head:
        return delivery.describe(held, on.commit)
    if (job := asking.waited_for(request, "mirror", path, on.repo.full_name)) is not None:
        raise refusals.upstream(f"{path} was not fetched. {job.error_message}")
    try:
        raise asking.Waiting(pulling.file(on, path, cast(Any, request.user)).pk)
    except (NotAllowed, HubError) as error:
        raise refusals.no_entry(path, on.commit, str(error)) from error


def _missing_because(on: Shelf, path: str) -> str:
    row = holdings.known(on, path)
    if row is None:
        return f"is not among the files of {on.repo.full_name} at {on.commit[:12]}."
    if row.barred:
        return f"is not mirrored: {row.barred}"
    return (
        "is known here and was not downloaded; `POST /v1/downloads` or the admin's page of the "
        "repository does that."
    )


class WhoamiView(door.MirrorView):
    """`/hf/api/whoami-v2`."""

    def get(self, request: Request) -> HttpResponse:
        user = request.user
        key_name = str(getattr(request.auth, "name", "session"))
        return JsonResponse(descriptions.person(user.pk, user.get_username(), key_name))
