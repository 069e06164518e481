"""Django as a coroutine: one hop to a thread for the request, one hop a chunk for a stream.

A whole answer is built and closed in the thread that ran the view, so its database connection is
given back there. A streamed answer is drawn chunk by chunk: a slow client holds no thread.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

from dreamforge_site.api.errors import ApiError
from dreamforge_site.front.bodies import Scope, Send

Environ = dict[str, Any]
Headers = list[tuple[bytes, bytes]]
WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

WAITING_LIMIT = 512  # more than this many requests in one process is an overload, not a queue
END_OF_STREAM = object()


class Answer:
    """What the view said, collected from WSGI's start_response and its iterable."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: Headers = []
        self.body: bytes | None = b""
        self.stream: Iterable[bytes] = ()

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status[:3])
        self.headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers]


class Bridge:
    def __init__(self, application: WSGIApplication, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="django")
        self._waiting = 0

    async def ask(self, scope: Scope, body: bytes, *, admitted: bool = False) -> Answer:
        """What Django says to the request; one that was `admitted` before is never turned away."""
        if self._waiting >= WAITING_LIMIT and not admitted:
            raise ApiError("infra_unavailable", "The server is overloaded; try again in a moment.")
        self._waiting += 1
        try:
            return await self._answer(environ_of(scope, body))
        finally:
            self._waiting -= 1

    async def _answer(self, environ: Environ) -> Answer:
        work = self._pool.submit(self._run, environ)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_discard)  # Django does not know, and may yet answer
            raise

    async def give(self, answer: Answer, send: Send) -> None:
        start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(start)
        if answer.body is None:
            await self._send_stream(answer.stream, send)
        else:
            await send({"type": "http.response.body", "body": answer.body})

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, environ: Environ) -> Answer:
        answer = Answer()
        response = self._application(environ, answer.start)
        if getattr(response, "streaming", True):
            answer.body, answer.stream = None, response
            return answer
        try:
            answer.body = b"".join(response)
        finally:
            _close(response)
        return answer

    async def _send_stream(self, stream: Iterable[bytes], send: Send) -> None:
        chunks = iter(stream)
        try:
            while (chunk := await self._in_thread(_next, chunks)) is not END_OF_STREAM:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            # Even when the client went away and this coroutine was cancelled.
            self._pool.submit(_close, stream)

    async def _in_thread(self, work: Callable[..., Any], argument: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, argument)


def environ_of(scope: Scope, body: bytes) -> Environ:
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    _add_headers(environ, scope["headers"])
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _add_headers(environ: Environ, headers: Iterable[tuple[bytes, bytes]]) -> None:
    for raw_name, raw_value in headers:
        if b"_" in raw_name or raw_name in (b"transfer-encoding", b"content-length"):
            continue  # X_Forwarded_For must not pass for X-Forwarded-For; the body is whole by now
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value


def _discard(work: Future[Answer]) -> None:
    if not work.cancelled() and work.exception() is None:
        _close(work.result().stream)


def _next(chunks: Iterator[bytes]) -> bytes | object:
    return next(chunks, END_OF_STREAM)


def _close(response: object) -> None:
    close = getattr(response, "close", None)
    if close is not None:
        close()
