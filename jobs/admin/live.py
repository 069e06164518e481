"""Pages that renew themselves. Their script (`dreamforge/admin/live.js`) asks the same address
again with a header and gets only the parts that change, drawn by the template that drew them at
first: one address, one check of rights, one drawing.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

HEADER = "X-Forge-Live"


def is_asked(request: HttpRequest) -> bool:
    return request.method == "GET" and HEADER in request.headers


def parts(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Elements with `data-live`, each with a name of its own. Never kept by a cache: another
    request to this address gets the whole page."""
    headers = {"Cache-Control": "no-store", "Vary": HEADER}
    return TemplateResponse(request, template, context, headers=headers)
