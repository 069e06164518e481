"""The headers that let a page of another origin read an answer Django never saw.

Without them a browser hides a 413 from the page, which then cannot say what was wrong.
"""

from __future__ import annotations

from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest, HttpResponse

from dreamforge_site.front.bodies import Scope


def headers(scope: Scope) -> dict[str, str]:
    """As Django's middleware would add them to this request's answer."""
    request = HttpRequest()
    request.method, request.path_info = scope["method"], scope["path"]
    origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
    request.META["HTTP_ORIGIN"] = origin.decode("latin-1")
    response = HttpResponse()
    bare = set(response.headers)
    CorsMiddleware(lambda _request: response).add_response_headers(request, response)
    return {name: value for name, value in response.items() if name not in bare}
