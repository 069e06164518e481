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
from django.core.files.storage import default_storage, storages
from django.urls import reverse
from django.utils.crypto import salted_hmac

from jobs.models import Artifact

SHORTEST_S, LONGEST_S = 60, 604_800
SALT = "jobs.generation.links"


@dataclass(frozen=True)
class Link:
    url: str
    expires_at: datetime


def link(artifact: Artifact, ttl_s: int, base: str) -> Link:
    """`base` is the address under which the caller reached us."""
    expires = int(time.time()) + ttl_s
    at = datetime.fromtimestamp(expires, UTC)
    if settings.STORAGE_LINKS == "storage":
        in_storage: Any = storages["links"]  # its `url` takes more than Django's own storages do
        return Link(in_storage.url(artifact.s3_key, expire=ttl_s), at)
    path = reverse("artifact-file", args=[artifact.pk])
    return Link(f"{base}{path}?expires={expires}&signature={_signature(artifact.pk, expires)}", at)


def is_valid(artifact_id: uuid.UUID, expires: int, signature: str) -> bool:
    """Whether we made this link and it has not ended; tells nothing by how long it takes."""
    expected = _signature(artifact_id, expires)
    genuine = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    return genuine and expires >= time.time()


def size_of(artifact: Artifact) -> int:
    """As it is stored; FileNotFoundError when it is gone."""
    return int(default_storage.size(artifact.s3_key))


def _signature(artifact_id: uuid.UUID, expires: int) -> str:
    mac = salted_hmac(SALT, f"{artifact_id}:{expires}", algorithm=hashlib.sha256().name)
    return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")
