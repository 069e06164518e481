"""What a page of the admin may load and run: the browser's Content-Security-Policy.

Scripts come from our own files only. `unsafe-eval` is the theme's: its menus evaluate expressions
in attributes. Styles may stand in the page: the theme writes its colours there. Images may also
come from the storage, whose signed links the pages show.
"""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.http.response import HttpResponseBase

HEADER = "Content-Security-Policy"


def protect(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault(HEADER, text(image_origins()))
    return response


@cache
def text(images: str) -> str:
    rules = {
        "default-src": "'none'",
        "script-src": "'self' 'unsafe-eval'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": f"'self' data: blob: {images}".strip(),
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def image_origins() -> str:
    """Where signed links to images lead, if not to us."""
    options = settings.STORAGES.get("links", {}).get("OPTIONS", {})
    if not options:
        return ""
    endpoint = options.get("endpoint_url")
    if not endpoint:  # the storage's own public addresses
        return "https://*.amazonaws.com"
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"
