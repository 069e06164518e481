"""The express way: plain requests of one hot address, served together without Django's handler.

The REST framework and twelve middlewares cost most of a short request. The express way leaves them
out where they have nothing to say: a POST with an API key, an Idempotency-Key, a JSON body, and no
header but those of `plain`. It only ever gives the answer of success, the same that the view would
give, header for header. Whatever is unusual, wrong or refused goes the ordinary way, from the
start; the Idempotency-Key makes that safe even where it is not known how far the express way came.

settings.EXPRESS names the addresses, and for each a function of a list of requests (see `Request`)
that gives a reply or None for each, and raises a DatabaseError when it stored none of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import structlog
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError, DataError, IntegrityError, close_old_connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.utils.module_loading import import_string

from dreamforge_site import correlation
from dreamforge_site.accounts import keys, permissions
from dreamforge_site.accounts.errors import UnauthenticatedError
from dreamforge_site.accounts.models import ApiKey, User
from dreamforge_site.api import body_shape, declarations, json_text
from dreamforge_site.api.errors import ApiError
from dreamforge_site.api.renderers import ContractJSONRenderer
from dreamforge_site.front import plain
from dreamforge_site.front.bodies import Scope
from dreamforge_site.front.bridge import Answer, Headers, environ_of
from dreamforge_site.front.lane import Lane
from dreamforge_site.operations import requests

log = structlog.get_logger(__name__)

# The middleware that has a word in such an answer; of the others of settings.MIDDLEWARE a test
# knows that they have none.
SHAPING = (
    "dreamforge_site.api.transport.ApiTransportMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
SAMPLE_STATUS = 202
HOSTS_REMEMBERED = 100
CALLERS_REMEMBERED = 1000
# Who was refused, and a database that failed, are asked for the ordinary way only for a while.
REFUSED_S = 1.0
FAILED_S = 5.0

_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Call:
    """A request as the front has read it, and nobody has checked it."""

    credentials: str
    idempotency_key: str
    request_id: str
    body: bytes
    standing: Headers
    arrived: float


@dataclass(frozen=True)
class Request:
    """What a function of settings.EXPRESS gets: the caller and the shape of the body are right."""

    owner: User
    body: dict[str, Any]
    idempotency_key: str
    request_id: str


class Reply(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def answer(self) -> dict[str, Any]: ...
    @property
    def location(self) -> str: ...


class Express:
    def __init__(self, table: Mapping[str, str]) -> None:
        self._ways = {path.encode("ascii"): Way(path, dotted) for path, dotted in table.items()}

    async def ask(self, scope: Scope, body: bytes) -> Answer | None:
        """The answer of success; None: ask in the ordinary way."""
        way = self._ways.get(scope["raw_path"])
        call = way.call(scope, body) if way is not None else None
        return None if way is None or call is None else await way.lane.ask(call)

    def close(self) -> None:
        for way in self._ways.values():
            way.lane.close()


class Way:
    """One address of the table."""

    def __init__(self, path: str, dotted: str) -> None:
        self._path = path
        self._dotted = dotted
        self._standing: dict[tuple[str, bytes], Headers | None] = {}
        self._refused: dict[str, float] = {}
        self._failed_until = 0.0
        self.lane: Lane[Call, Answer] = Lane(self.serve, rest=close_old_connections)

    def call(self, scope: Scope, body: bytes) -> Call | None:
        """What there is to serve here, None when the request is not for the express way."""
        found = plain.headers(scope)
        now = time.monotonic()
        if found is None or self._failed_until > now or not self.lane.has_room():
            return None
        credentials = found.get(b"x-api-key") or found[b"authorization"][len("Bearer ") :]
        text = credentials.decode("latin-1").strip()
        standing = self._standing_of(scope, found[b"host"])
        if standing is None or self._refused.get(text, 0.0) > now:
            return None
        sent = {
            name: found[name.encode()].decode("latin-1")
            for name in correlation.SENT_IN
            if name.encode() in found
        }
        return Call(
            credentials=text,
            idempotency_key=found[b"idempotency-key"].decode("latin-1"),
            request_id=correlation.from_headers(sent),
            body=body,
            standing=standing,
            arrived=time.perf_counter(),
        )

    def serve(self, calls: list[Call]) -> list[Answer | None]:
        """In the lane's thread."""
        callers: dict[str, ApiKey | None] = {}
        try:
            asked = [self._request(call, callers) for call in calls]
            known = [request for request in asked if request is not None]
            replies = iter(self._create(known))
        except (IntegrityError, DataError):
            return [None] * len(calls)
        except DatabaseError as error:
            log.warning("express_paused", error=type(error).__name__, seconds=FAILED_S)
            self._failed_until = time.monotonic() + FAILED_S
            return [None] * len(calls)
        return [
            self._answered(call, request, next(replies) if request is not None else None)
            for call, request in zip(calls, asked, strict=True)
        ]

    def _request(self, call: Call, callers: dict[str, ApiKey | None]) -> Request | None:
        if call.credentials not in callers:
            callers[call.credentials] = self._caller(call.credentials)
        caller = callers[call.credentials]
        if caller is None:
            return None
        try:
            body = json_text.parse_object(call.body)
        except ApiError:
            return None
        if body_shape.faults(declarations.body_serializer(self._view), body):
            return None
        return Request(caller.owner, body, call.idempotency_key, call.request_id)

    def _caller(self, credentials: str) -> ApiKey | None:
        try:
            key = keys.verify(credentials, prepared=True)
        except UnauthenticatedError:
            return None
        return key if permissions.needed("POST", self._view) in key.scopes else None

    def _answered(self, call: Call, request: Request | None, reply: Reply | None) -> Answer | None:
        if request is None or reply is None:
            self._remember_refused(call.credentials)
            return None
        answer = Answer()
        answer.status, answer.body = reply.status, _text(reply.answer).encode()
        answer.headers = [
            *call.standing,
            (b"location", reply.location.encode("latin-1")),
            (b"content-length", b"%d" % len(answer.body)),
            (correlation.ANSWERED_IN.lower().encode(), call.request_id.encode()),
        ]
        requests.record(
            method="POST",
            route=self._route,
            path=self._path,
            status=reply.status,
            took_s=time.perf_counter() - call.arrived,
            user_id=str(request.owner.pk),
            request_id=call.request_id,
        )
        return answer

    def _remember_refused(self, credentials: str) -> None:
        if len(self._refused) >= CALLERS_REMEMBERED:
            self._refused.clear()
        self._refused[credentials] = time.monotonic() + REFUSED_S

    @cached_property
    def _create(self) -> Callable[[Sequence[Request]], Sequence[Reply | None]]:
        return import_string(self._dotted)  # type: ignore[no-any-return]

    @cached_property
    def _view(self) -> Any:
        view = resolve(self._path).func.view_class()  # type: ignore[attr-defined]
        view.setup(HttpRequest())
        return view

    @cached_property
    def _route(self) -> str:
        return resolve(self._path).route

    def _standing_of(self, scope: Scope, host: bytes) -> Headers | None:
        """The headers that every answer of this address has over this scheme and under this host;
        None where the middleware has another answer."""
        name = (scope["scheme"], host)
        if name not in self._standing:
            if len(self._standing) >= HOSTS_REMEMBERED:
                self._standing.clear()
            self._standing[name] = self._asked_of_the_middleware(scope)
        return self._standing[name]

    def _asked_of_the_middleware(self, scope: Scope) -> Headers | None:
        ask: Callable[[HttpRequest], HttpResponseBase] = self._sample
        for dotted in reversed(SHAPING):
            ask = import_string(dotted)(ask)
        try:
            response = ask(WSGIRequest(environ_of(scope, b"")))
        except SuspiciousOperation:
            return None
        if response.status_code != SAMPLE_STATUS:
            return None
        own = (b"content-length",)
        return [
            (name, value.encode("latin-1"))
            for name, value in ((n.lower().encode(), v) for n, v in response.headers.items())
            if name not in own
        ]

    def _sample(self, _request: HttpRequest) -> HttpResponse:
        """As the view would answer: what the REST framework adds to each answer."""
        response = HttpResponse(status=SAMPLE_STATUS, content_type=ContractJSONRenderer.media_type)
        for name, value in self._view.default_response_headers.items():
            response[name] = value
        return response
