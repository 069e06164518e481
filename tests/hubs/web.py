"""A plain web server: files under the paths a test chose, nothing signed, nothing redirected."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from tests.hubs import delivery
from tests.hubs.content import Content, as_content
from tests.hubs.messages import Request, Response, text

Handler = Callable[[Request], Response]


class Web:
    name = "web"

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base
        self._files: dict[str, Content] = {}
        self._handlers: dict[str, Handler] = {}

    def add(self, path: str, content: Content | bytes | str | Path) -> str:
        """Serve `content` at `path` ("/a/b.bin"), in place of what was there; its address."""
        self._files[path] = as_content(content)
        return self._base() + quote(path)

    def on(self, path: str, handler: Handler) -> str:
        """Let a function answer at `path`; its address."""
        self._handlers[path] = handler
        return self._base() + quote(path)

    def remove(self, path: str) -> None:
        self._files.pop(path, None)
        self._handlers.pop(path, None)

    def subject(self, request: Request) -> str:
        return request.path.lstrip("/")

    def delivers(self, request: Request) -> bool:
        return request.path in self._files

    def answer(self, request: Request) -> Response:
        if request.path in self._handlers:
            return self._handlers[request.path](request)
        if request.path not in self._files:
            return text("not found", 404)
        if request.method not in ("GET", "HEAD"):
            return text("", 405, allow="GET, HEAD")
        content = self._files[request.path]
        return delivery.deliver(request, content, etag_of(content))


def etag_of(content: Content) -> str:
    """Known without reading the file: the first request is not slower than the others."""
    return hashlib.md5(content.identity.encode(), usedforsecurity=False).hexdigest()
