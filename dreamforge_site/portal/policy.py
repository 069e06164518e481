"""What a page of the portal may load: our own files, `/v1`, and images where the storage has them.

Stricter than the admin's: no inline script or style, nothing evaluated.
"""

from __future__ import annotations

from functools import cache

from django.http.response import HttpResponseBase

from dreamforge_site.dashboard.policy import HEADER, image_origins


def protect(response: HttpResponseBase) -> HttpResponseBase:
    """Kept by no cache: a page names its user, and the next person at the device is another."""
    response.headers.setdefault(HEADER, text(image_origins()))
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@cache
def text(images: str) -> str:
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' data: blob: {images}".strip(),
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())
