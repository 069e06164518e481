"""Links to images that need no sign-in and end: signed by us where the files lie in a folder, by
the storage where it can."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.urls import reverse
from django.utils.crypto import salted_hmac

from jobs import thumbnails
from jobs.models import Artifact

SHORTEST_S, LONGEST_S = 60, 604_800


@dataclass(frozen=True)
class Door:
    """Where one of an artifact's files is given out; a link to one opens no other."""

    route: str
    salt: str


FILE = Door("artifact-file", "jobs.generation.links")
THUMBNAIL = Door("artifact-thumbnail", "jobs.generation.links.thumbnail")


@dataclass(frozen=True)
class Link:
    url: str
    expires_at: datetime


def link(artifact: Artifact, ttl_s: int, base: str) -> Link:
    """`base` is the address under which the caller reached us."""
    return _link(FILE, artifact, artifact.s3_key, ttl_s, base)


def thumbnail(artifact: Artifact, ttl_s: int, base: str) -> str | None:
    """The address of its small picture, for as long; None: it has none."""
    if not artifact.has_thumbnail:
        return None
    return _link(THUMBNAIL, artifact, thumbnails.key_of(artifact.s3_key), ttl_s, base).url


def is_valid(door: Door, artifact_id: uuid.UUID, expires: int, signature: str) -> bool:
    """Whether we made this link and it has not ended; tells nothing by how long it takes."""
    expected = _signature(door, artifact_id, expires)
    genuine = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    return genuine and expires >= time.time()


def _link(door: Door, artifact: Artifact, key: str, ttl_s: int, base: str) -> Link:
    expires = int(time.time()) + ttl_s
    at = datetime.fromtimestamp(expires, UTC)
    if settings.STORAGE_LINKS == "storage":
        in_storage: Any = storages["links"]  # its `url` takes more than Django's own storages do
        return Link(in_storage.url(key, expire=ttl_s), at)
    path = reverse(door.route, args=[artifact.pk])
    signature = _signature(door, artifact.pk, expires)
    return Link(f"{base}{path}?expires={expires}&signature={signature}", at)


def _signature(door: Door, artifact_id: uuid.UUID, expires: int) -> str:
    mac = salted_hmac(door.salt, f"{artifact_id}:{expires}", algorithm=hashlib.sha256().name)
    return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")
