"""From the finished files of the runner to the storage: the keys they get, and the way there.

An image is tried again and again. Its thumbnail follows it and is tried once: an image without one
is shown all the same.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.core.files import File
from django.core.files.storage import default_storage

from jobs import leftovers, thumbnails
from jobs.artifacts import Drawn
from jobs.errors import AttemptFailed
from jobs.patience import persist
from runners.image_files import CONTENT_TYPES
from runners.protocol import ItemDone

log = structlog.get_logger(__name__)

TRIES = 5
FIRST_WAIT_S = 0.5
NOBODY = "service"


@dataclass(frozen=True)
class Place:
    """Whose image it is, of which job and step."""

    owner_id: object
    job_id: uuid.UUID
    step: str


def key_of(place: Place, done: ItemDone, now: datetime) -> str:
    """The contract's layout. The owner's id stands for their name, which they can change."""
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    name = f"{moment}_{done.index}_{done.width}x{done.height}_{done.seed}.{done.format}"
    return f"dreamforge/{place.owner_id or NOBODY}/jobs/{place.job_id}/{place.step}/{name}"


def store(place: Place, done: ItemDone, wait: Callable[[float], None]) -> Drawn:
    """Put the files where they belong; `wait` sleeps between tries and may end them. AttemptFailed
    with `storage_error` when the storage does not take the image."""
    key = key_of(place, done, datetime.now(UTC))
    small = done.thumbnail_path
    persist(lambda: leftovers.expect(thumbnails.stored_keys(key, small is not None)))
    content_type = CONTENT_TYPES[done.format]
    _put(key, Path(done.path), content_type, wait)
    return Drawn(
        s3_key=key,
        format=done.format,
        content_type=content_type,
        width=done.width,
        height=done.height,
        seed=done.seed,
        sha256=done.sha256,
        pixels_sha256=done.pixels_sha256,
        size_bytes=done.size_bytes,
        has_thumbnail=small is not None and _put_thumbnail(thumbnails.key_of(key), Path(small)),
    )


def _put(key: str, path: Path, content_type: str, wait: Callable[[float], None]) -> None:
    for attempt in range(1, TRIES + 1):
        started_at = time.monotonic()
        try:
            if attempt > 1:  # half a file of the last try would have this one stored beside it
                default_storage.delete(key)
            stored = _saved(key, path, content_type)
        except Exception as error:  # each storage has errors of its own
            took_s = round(time.monotonic() - started_at, 2)
            reason = type(error).__name__
            log.warning("image_not_stored", key=key, error=reason, attempt=attempt, took_s=took_s)
            if attempt == TRIES:
                message = f"The storage did not take the image: {reason}."
                raise AttemptFailed("storage_error", message, transient=True) from error
            wait(FIRST_WAIT_S * 2 ** (attempt - 1))
        else:
            if stored != key:
                raise AttemptFailed("storage_error", f"The storage renamed {key} to {stored}.")
            return


def _put_thumbnail(key: str, path: Path) -> bool:
    """Whether it is there. What a failed try left goes by the list of leftovers."""
    try:
        stored = _saved(key, path, thumbnails.CONTENT_TYPE)
    except Exception as error:  # noqa: BLE001  each storage has errors of its own
        log.warning("thumbnail_not_stored", key=key, error=type(error).__name__)
        return False
    if stored != key:
        log.warning("thumbnail_not_stored", key=key, error=f"stored as {stored}")
        persist(lambda: leftovers.forget([stored]))
    return stored == key


def _saved(key: str, path: Path, content_type: str) -> str:
    """The key that the storage gave it."""
    with path.open("rb") as file:
        content = File(file, name=key)
        # Else a storage looks for it in the machine's table of types, which may not know it.
        content.content_type = content_type  # type: ignore[attr-defined]
        return str(default_storage.save(key, content))
