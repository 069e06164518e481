"""Finding a tracked repository by what a person types, also one that only a scan knows."""

from __future__ import annotations

from downloader.hub import registering
from downloader.hub.errors import UnknownRepo
from downloader.hub.matching import LOCAL
from downloader.hub.models import Repo
from downloader.library.errors import InvalidRef
from downloader.library.layouts import DEFAULT_REVISION


def meant(text: str) -> Repo:
    """By its id, or by `author/name[@revision]`; UnknownRepo when there is none."""
    try:
        return registering.named(text)
    except (UnknownRepo, InvalidRef):
        found = _local(text)
        if found is None:
            raise
        return found


def _local(text: str) -> Repo | None:
    full_name, _, revision = text.strip().partition("@")
    author, _, name = full_name.rpartition("/")
    wanted = Repo.objects.select_related("snapshot").filter(
        source=LOCAL, author=author, name=name, revision=revision or DEFAULT_REVISION
    )
    return wanted.first()
