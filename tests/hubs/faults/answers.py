"""Another answer than the file: errors, pages, redirects, delays."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.hubs.content import Content, InMemory
from tests.hubs.faults.base import Answer, Fault
from tests.hubs.messages import Request, Response, as_json, html, redirect, text


@dataclass(frozen=True)
class Status(Fault):
    """An error in place of the answer."""

    of_body = False
    status: int = 503
    body: str = "upstream is not well"

    def apply(self, request: Request, answer: Answer) -> Response:
        return text(self.body, self.status)


@dataclass(frozen=True)
class TooManyRequests(Fault):
    """429 that says when to come back: `how` is "seconds", "date", "ratelimit" (only the RateLimit
    headers of the real hub) or "" (it does not say)."""

    of_body = False
    seconds: int = 1
    how: str = "seconds"

    def apply(self, request: Request, answer: Answer) -> Response:
        date = email.utils.formatdate(time.time() + self.seconds, usegmt=True)
        told: dict[str, dict[str, str]] = {
            "": {},
            "seconds": {"retry_after": str(self.seconds)},
            "date": {"retry_after": date},
            "ratelimit": {
                "ratelimit": f'"resolvers";r=0;t={self.seconds}',
                "ratelimit_policy": '"fixed window";"resolvers";q=3000;w=300',
            },
        }
        return as_json({"error": "Too many requests"}, 429, **told[self.how])


@dataclass(frozen=True)
class LoginPage(Fault):
    """200 and HTML in place of the file."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return html("<!doctype html><html><title>Sign in</title><form>Sign in</form></html>")


@dataclass(frozen=True)
class JsonError(Fault):
    """200 and an error as JSON in place of the file."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return as_json({"error": "Unauthorized", "message": "You have to be logged in"})


@dataclass(frozen=True)
class LfsPointer(Fault):
    """200 and the pointer text in place of the file."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return text(pointer(answer(request.without("range")).content))


@dataclass(frozen=True)
class RedirectTo(Fault):
    """To any address: `file:///etc/passwd`, `ftp://…`, another scheme, another host."""

    of_body = False
    location: str
    status: int = 302

    def apply(self, request: Request, answer: Answer) -> Response:
        return redirect(self.status, self.location)


@dataclass(frozen=True)
class RedirectLoop(Fault):
    """To itself, again and again, with a number in the query that grows."""

    of_body = False

    def apply(self, request: Request, answer: Answer) -> Response:
        turn = int(request.query("turn", "0") or 0) + 1
        return redirect(302, f"{request.raw_path}?turn={turn}")


@dataclass(frozen=True)
class Expired(Fault):
    """403 and XML, as storage answers to a signature whose time is over."""

    def apply(self, request: Request, answer: Answer) -> Response:
        return expired()


@dataclass(frozen=True)
class NoHead(Fault):
    """405 to HEAD."""

    of_body = False

    def apply(self, request: Request, answer: Answer) -> Response:
        if request.method != "HEAD":
            return answer(request)
        return text("", 405, allow="GET")


@dataclass(frozen=True)
class Latency(Fault):
    """So long before each answer."""

    of_body = False
    seconds: float

    def apply(self, request: Request, answer: Answer) -> Response:
        response = answer(request)
        return response.by(delay_s=response.way.delay_s + self.seconds)


@dataclass(frozen=True)
class Afterwards(Fault):
    """The answer is right, and then something changes: a branch moves, a file goes away."""

    of_body = False
    action: Callable[[], object]

    def apply(self, request: Request, answer: Answer) -> Response:
        response = answer(request)
        self.action()
        return response


@dataclass(frozen=True)
class Changed(Fault):
    """Any change to a right answer, by a function."""

    of_body = False
    change: Callable[[Response], Response]

    def apply(self, request: Request, answer: Answer) -> Response:
        return self.change(answer(request))


def pointer(content: Content) -> str:
    """The text git keeps in place of a large file."""
    return (
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{content.sha256}\nsize {content.size}\n"
    )


def expired() -> Response:
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    )
    return Response(403, {"Content-Type": "application/xml"}, InMemory(xml.encode()))
