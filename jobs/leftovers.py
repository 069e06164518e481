"""Stored files that nothing shows any more.

A row and its file cannot go in one transaction. So the row goes first, and in its transaction the
file's key is put on a list; what is on the list is removed from the storage, then from the list. A
crash in between leaves the list: no link ever leads to a missing file, and no file is forgotten.

A file that is about to be stored is put on the list first, for a later day; its row takes it off
again: a worker that dies between the two leaves a file that is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs import thumbnails
from jobs.models import Artifact, Job, Leftover

log = structlog.get_logger(__name__)

BATCH = 200
# Longer than any upload: until then a file without a row may be on its way to one.
STORED_WITHIN = timedelta(days=1)


def expect(keys: Sequence[str]) -> None:
    """Files will be stored under these keys; unless a row comes to show one, it goes again."""
    since = timezone.now() + STORED_WITHIN
    Leftover.objects.bulk_create(Leftover(s3_key=key, since=since) for key in keys)


def keep(keys: Sequence[str]) -> None:
    """A row shows the files: call this in the transaction that writes the row."""
    Leftover.objects.filter(s3_key__in=keys).delete()


def forget(keys: Sequence[str]) -> None:
    """No row shows the files any more."""
    Leftover.objects.bulk_create(Leftover(s3_key=key) for key in keys)


def forget_jobs(jobs: QuerySet[Job]) -> None:
    """Delete jobs with all they have; their files are put on the list."""
    with transaction.atomic():
        ids = list(jobs.select_for_update().values_list("pk", flat=True))
        _list(Artifact.objects.filter(job_id__in=ids))
        Job.objects.filter(pk__in=ids).delete()


def forget_artifacts(artifacts: QuerySet[Artifact]) -> None:
    with transaction.atomic():
        ids = list(artifacts.select_for_update(of=("self",)).values_list("pk", flat=True))
        mine = Artifact.objects.filter(pk__in=ids)
        _list(mine)
        mine.delete()


def clear() -> int:
    """Remove listed files; how many. A storage that fails is left alone until the next time."""
    cleared = 0
    due = Leftover.objects.filter(since__lte=timezone.now())
    while batch := list(due.order_by("pk")[:BATCH]):
        for leftover in batch:
            if not _removed(leftover):
                return cleared
            cleared += 1
    return cleared


def _removed(leftover: Leftover) -> bool:
    # The key is in use again when a retry stored the same item a second time.
    if not Artifact.objects.filter(_shows(leftover.s3_key)).exists():
        try:
            default_storage.delete(leftover.s3_key)
        except Exception as error:  # noqa: BLE001  each storage has errors of its own
            log.warning("file_not_removed", key=leftover.s3_key, error=type(error).__name__)
            return False
    leftover.delete()
    return True


def _shows(key: str) -> Q:
    """Of rows: the one whose image or thumbnail this is."""
    image = thumbnails.image_of(key)
    return Q(s3_key=key) if image is None else Q(s3_key=image, has_thumbnail=True)


def _list(artifacts: QuerySet[Artifact]) -> None:
    shown = artifacts.only("s3_key", "has_thumbnail")
    forget([key for artifact in shown for key in artifact.stored_keys])
