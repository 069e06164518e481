"""Which requests asyncio answers itself, and which go to Django."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from dreamforge_site import correlation
from dreamforge_site.api import dialects
from dreamforge_site.api.errors import ApiError
from dreamforge_site.environment import is_loopback
from dreamforge_site.front import cross_origin, handoffs
from dreamforge_site.front.bodies import Disconnected, Intake, Receive, Scope, Send
from dreamforge_site.front.bridge import Answer, Bridge
from dreamforge_site.front.connections import IN_STATE

if TYPE_CHECKING:  # it knows the accounts, which need Django to be set up
    from dreamforge_site.front.express import Express

log = structlog.get_logger(__name__)


class Front:
    def __init__(
        self, bridge: Bridge, *, loopback_only: bool, express: Express | None = None
    ) -> None:
        self._bridge = bridge
        self._express = express
        self._intake = Intake()
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        elif scope["path"] == "/healthz" and scope["method"] in ("GET", "HEAD"):
            await _send_json(send, scope, 200, {"status": "ok"})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._guard(scope)
            async with self._intake.body(scope, receive) as body:
                quick = None if self._express is None else await self._express.ask(scope, body)
                answer = quick or await self._bridge.ask(scope, body)
            handoff = handoffs.find(answer) if quick is None else None
        except ApiError as error:
            await _refuse(send, scope, error)
        except Disconnected:
            log.debug("client_disconnected", path=scope["path"])
        except Exception:  # the outermost border: Django has its own within
            log.exception("front_failed", path=scope["path"])
            await _refuse(send, scope, ApiError("internal", "The server failed; try again later."))
        else:
            if quick is not None and _written(quick, scope):
                return
            if handoff is None:
                await self._bridge.give(answer, send)
            elif scope["method"] == "HEAD" and handoff.name not in handoffs.ANSWER_HEAD:
                await self._bridge.give(_unfinished(answer), send)
            else:
                await handoffs.serve(handoff, scope, receive, send, self._bridge)

    def _guard(self, scope: Scope) -> None:
        """Open authentication is for loopback, however the server was started."""
        server = scope.get("server")
        if self._loopback_only and server is not None and not is_loopback(server[0]):
            message = "DF_AUTH is off: this service answers on loopback only."
            raise ApiError("forbidden", message)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._express is not None:
            self._express.close()
        self._bridge.close()
        await send({"type": "lifespan.shutdown.complete"})


def _written(answer: Answer, scope: Scope) -> bool:
    """Whether the connection took the whole answer at once."""
    connection = scope.get("state", {}).get(IN_STATE)
    return connection is not None and connection.give(answer.status, answer.headers, answer.body)


def _unfinished(answer: Answer) -> Answer:
    """What HEAD is told: as much as is known before the answer is under way."""
    answer.headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    return answer


async def _refuse(send: Send, scope: Scope, error: ApiError) -> None:
    error.correlation_id = _request_id(scope)
    log.info(
        "request_refused", path=scope["path"], status=error.status, request_id=error.correlation_id
    )
    status, content, headers = dialects.spoken(error, scope["path"])
    # The rest of the body may still be on its way: the connection cannot be used again.
    extra = {"Connection": "close", **headers, **cross_origin.headers(scope)}
    await _send_json(send, scope, status, content, extra)


async def _send_json(
    send: Send,
    scope: Scope,
    status: int,
    content: dict[str, Any],
    extra: Mapping[str, str] | None = None,
) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", _request_id(scope).encode()),
        *((name.lower().encode(), value.encode()) for name, value in (extra or {}).items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    payload = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": payload})


def _request_id(scope: Scope) -> str:
    """One id for one request, however often it is asked for."""
    if "dreamforge.request_id" not in scope:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        scope["dreamforge.request_id"] = correlation.from_headers(headers)
    return str(scope["dreamforge.request_id"])
