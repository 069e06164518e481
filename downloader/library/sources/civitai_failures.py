"""What CivitAI's API answers instead of data, as our errors. Its own words are not repeated."""

from __future__ import annotations

from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    NotFound,
    ProtocolViolation,
    Throttled,
    Unreachable,
)
from downloader.library.http import StatusError, waiting

UNSAID_WAIT_S = 60.0
ACCOUNT = "/user/account"
ABSENT = {
    400: "CivitAI does not take this id or slug.",
    404: "CivitAI has no such model or version.",
    410: "CivitAI has archived this model: it cannot be downloaded any more.",
}


def refused(error: StatusError, endpoint: str, *, has_token: bool) -> DownloadError:
    status = error.status
    if status in ABSENT:
        return NotFound(ABSENT[status])
    if status in (401, 403):
        return _no_access(endpoint, has_token=has_token)
    if status == 429:
        wait_s = waiting.asked_for_s(error.headers) or UNSAID_WAIT_S
        return Throttled(
            f"CivitAI takes no more requests for {wait_s:.0f} s. Try again then.",
            retry_after_s=wait_s,
        )
    kind = Unreachable if status >= 500 else ProtocolViolation
    return kind(
        f"{endpoint} answers {status}. Try again later, or check DF_CIVITAI_ENDPOINT.",
        details={"status": status},
    )


def _no_access(endpoint: str, *, has_token: bool) -> AccessNeeded:
    if has_token:
        why = "CivitAI does not accept the token. Make a new one and set CIVITAI_TOKEN."
    else:
        why = "CivitAI shows this only to those who are logged in. Make a token, set CIVITAI_TOKEN."
    return AccessNeeded(why, visit=f"{endpoint}{ACCOUNT}")
