"""Putting a repository on the list of those that are tracked, and finding one there."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.contrib.admin.models import ADDITION
from django.db import IntegrityError, transaction

from downloader import configured
from downloader.hub.errors import Contradiction, UnknownRepo
from downloader.hub.models import Repo
from downloader.library.errors import InvalidRef
from downloader.library.refs import Ref
from downloader.library.sources.huggingface import DEFAULT_REVISION
from registry import auditing

SOURCE = "hf"
COMMIT = re.compile(r"[0-9a-f]{40}")


def read(text: str) -> Ref:
    """`author/name[@revision]`, a reference of `hf:`, or a pasted page. InvalidRef otherwise."""
    text = text.strip()
    ref = configured.parse(text if ":" in text else f"{SOURCE}:{text}")
    if ref.scheme != SOURCE:
        raise InvalidRef("The hub tracks repositories of Hugging Face; this is another source's.")
    return ref


def register(
    repo_id: str, revision: str | None = None, *, auto_sync: bool = False, by: Any = None
) -> tuple[Repo, bool]:
    """The tracked repository, and whether it was put on the list just now. Nobody upstream is
    asked. `auto_sync` can be switched on by registering again."""
    ref = read(repo_id)
    wanted = checked_revision(ref, revision)
    author, _, name = ref.target.rpartition("/")
    place = {"source": SOURCE, "author": author, "name": name, "revision": wanted}
    facts = {"auto_sync": auto_sync, "created_by": by if getattr(by, "pk", None) else None}
    try:
        with transaction.atomic():
            repo, is_new = Repo.objects.get_or_create(**place, defaults=facts)
            if is_new:
                told = auditing.facts({"auto_sync": auto_sync})
                auditing.note(repo, by, auditing.sentence("registered", told), ADDITION)
    except IntegrityError:  # somebody else, at the same moment
        repo, is_new = Repo.objects.get(**place), False
    if auto_sync:
        set_auto_sync(repo, True, by=by)
    return repo, is_new


def set_auto_sync(repo: Repo, auto_sync: bool, *, by: Any = None) -> None:
    """Whether it is synced by itself when its source has news."""
    other = Repo.objects.filter(pk=repo.pk, auto_sync=not auto_sync)
    changes = auditing.changes({"auto_sync": not auto_sync}, {"auto_sync": auto_sync})
    with transaction.atomic():
        if other.update(auto_sync=auto_sync):
            auditing.note(repo, by, auditing.sentence("changed", changes))
    repo.auto_sync = auto_sync


def checked_revision(ref: Ref, revision: str | None) -> str:
    """`revision`, else what the reference names, else the branch everybody means."""
    if revision and ref.revision and revision != ref.revision:
        raise Contradiction(f"The reference names {ref.revision}, and the revision is {revision}.")
    wanted = revision or ref.revision or DEFAULT_REVISION
    return str(configured.parse(f"{SOURCE}:x/y@{_encoded(wanted)}").revision)


def _encoded(revision: str) -> str:
    return revision.replace("%", "%25").replace("#", "%23").replace("@", "%40")


def sibling(repo: Repo, revision: str | None, *, by: Any = None) -> Repo:
    """The same repository at another revision, registered if it was not."""
    if revision in (None, repo.revision):
        return repo
    found, _ = register(repo.full_name, revision, by=by)
    return found


def get(repo_id: uuid.UUID | str) -> Repo:
    found = Repo.objects.select_related("snapshot").filter(pk=repo_id).first()
    if found is None:
        raise UnknownRepo(f"No repository {repo_id} is registered.")
    return found


def named(text: str, revision: str | None = None) -> Repo:
    """By its id, or by `author/name[@revision]`; UnknownRepo when nobody registered it."""
    try:
        return get(uuid.UUID(text))
    except ValueError:
        pass
    ref = read(text)
    author, _, name = ref.target.rpartition("/")
    wanted = checked_revision(ref, revision)
    found = (
        Repo.objects.select_related("snapshot")
        .filter(source=SOURCE, author=author, name=name, revision=wanted)
        .first()
    )
    if found is None:
        raise UnknownRepo(
            f"{ref.target}@{wanted} is not registered; `manage.py hub_register` puts it on the "
            "list."
        )
    return found
