"""The answer of a file: headers from here, bytes from the front or from a server before it."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpResponse

from downloader import configured
from downloader.hub.serving import conditions, refusals
from downloader.hub.serving.conditions import Asked
from downloader.hub.serving.holdings import Held
from downloader.library.errors import DownloadError
from jobs.api.answers import HANDOFF

BYTES = "application/octet-stream"
ACCELERATED = "X-Accel-Redirect"
# Whatever a browser makes of the file, it runs nothing and loads nothing.
STANDING = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def describe(held: Held, commit: str) -> HttpResponse:
    """What HEAD is told, also of a file whose bytes are not here yet."""
    response = HttpResponse(content_type=BYTES, headers=_headers(held, commit))
    response["Content-Length"] = str(held.size)
    return response


def answer(held: Held, commit: str, headers: Mapping[str, str], *, head: bool) -> HttpResponse:
    """Refused with 500 when the store has other bytes, before any is sent."""
    place, changed = _looked_at(held)
    asked = conditions.read(headers, held.etag, held.size)
    response = HttpResponse(status=asked.status, content_type=BYTES, headers=_headers(held, commit))
    if asked.part is None:
        if asked.status == conditions.BEYOND:
            response["Content-Range"] = f"bytes */{held.size}"
        return response
    if asked.status == conditions.PARTIAL:
        response["Content-Range"] = asked.part.content_range
    response["Content-Length"] = str(asked.part.length)
    if not head:
        _hand_over(response, held, place, asked, changed=changed)
    return response


def _headers(held: Held, commit: str) -> dict[str, str]:
    name = quote(held.path.rpartition("/")[2], safe="")
    headers = {
        **STANDING,
        "ETag": held.etag,
        "X-Repo-Commit": commit,
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
    }
    if held.large:
        headers |= {"X-Linked-Size": str(held.size), "X-Linked-ETag": held.etag}
    return headers


def _looked_at(held: Held) -> tuple[Path, bool]:
    """Where the bytes lie, and whether the file was written to after it was verified."""
    place = configured.store().blob(held.sha256)
    try:
        found = place.lstat()
    except FileNotFoundError:
        raise refusals.unfit(held.path) from None
    except (OSError, DownloadError):
        raise refusals.unreachable() from None
    if not stat.S_ISREG(found.st_mode) or found.st_size != held.size:
        raise refusals.unfit(held.path)
    return place, _is_newer(found.st_mtime, held.verified_at)


def _is_newer(written_at_s: float, verified_at: datetime | None) -> bool:
    return verified_at is None or written_at_s > verified_at.timestamp()


def _hand_over(
    response: HttpResponse, held: Held, place: Path, asked: Asked, *, changed: bool
) -> None:
    """To the front server where there is one, except for a file that must be read first."""
    if settings.SENDFILE_PREFIX and not changed:
        below = place.relative_to(Path(settings.MODELS_ROOT))
        response[ACCELERATED] = quote(f"{settings.SENDFILE_PREFIX.rstrip('/')}/{below}")
        del response["Content-Length"]
        return
    assert asked.part is not None  # noqa: S101  what has no part is not handed over
    unfit = refusals.unfit(held.path)
    ticket: dict[str, Any] = {
        "path": str(place),
        "start": asked.part.start,
        "length": asked.part.length,
        "size": held.size,
        "sha256": held.sha256 if changed else "",
        "unfit": {"error": unfit.words},
    }
    response[HANDOFF] = f"file {json.dumps(ticket)}"
