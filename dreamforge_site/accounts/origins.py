"""Whether a browser sends this request on behalf of another site's page."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def is_foreign(request: HttpRequest) -> bool:
    """True for a page of another site that CORS does not admit; programs send neither header."""
    origin = request.headers.get("Origin")
    if origin is not None:
        return not (_is_own(request, origin) or _is_admitted(origin))
    return request.headers.get("Sec-Fetch-Site") == "cross-site"


def _is_own(request: HttpRequest, origin: str) -> bool:
    return origin == f"{request.scheme}://{request.get_host()}"


def _is_admitted(origin: str) -> bool:
    if not urlsplit(origin).netloc:
        return False
    return origin in settings.CORS_ALLOWED_ORIGINS or any(
        re.fullmatch(pattern, origin) for pattern in settings.CORS_ALLOWED_ORIGIN_REGEXES
    )
