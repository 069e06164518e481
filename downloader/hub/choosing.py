"""From what somebody asked to download of a repository to the parameters of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from downloader.hub import recalling, registering, selecting
from downloader.hub.errors import HubError, NotSynced, TooManyPatterns
from downloader.hub.models import Repo


def asked_for(wanted: Mapping[str, Any], *, by: Any = None) -> dict[str, Any]:
    """`wanted`: author, repo, revision, selection, force. The repository is registered if nobody
    has done so. Raises as `of` does."""
    at = recalling.place(wanted.get("author", ""), wanted["repo"], wanted.get("revision"))
    repo, _ = registering.register(at.full_name, at.revision, by=by)
    return of(repo, wanted.get("selection") or (), force=bool(wanted.get("force")))


def of(repo: Repo, selection: Iterable[Mapping[str, str]], *, force: bool) -> dict[str, Any]:
    """AlreadyDownloaded when all is here, unless `force`; HubError when a path is not there."""
    entries = [dict(entry) for entry in selection]
    params = {"repo_id": str(repo.pk), "selection": entries, "force": force}
    try:
        chosen = selecting.chosen(params)
    except NotSynced:
        return params  # the job asks its source first
    except TooManyPatterns:
        raise
    except HubError:
        if registering.COMMIT.fullmatch(repo.revision):
            raise
        # The branch may have moved since the last sync, and what people see of it is newer.
        return {**params, "fresh": True}
    if not any(one.paths for one in chosen):
        raise HubError(f"Nothing of {repo} may be downloaded here; `barred` of each file says why.")
    if not force:
        selecting.refuse_nothing_to_do(chosen)
    return params


def named(text: str, revision: str | None = None, *, by: Any = None) -> Repo:
    """By its id, or by name: then it is registered if nobody has done so."""
    try:
        return registering.sibling(registering.get(text), revision, by=by)
    except (ValueError, ValidationError):
        return registering.register(text, revision, by=by)[0]
