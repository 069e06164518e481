"""What goes wrong in a list that comes in pages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.hubs.content import InMemory
from tests.hubs.faults.base import Answer, Fault
from tests.hubs.messages import Request, Response


@dataclass(frozen=True)
class LostPages(Fault):
    """The first page is all there is: no link to the next."""

    of_body = False

    def apply(self, request: Request, answer: Answer) -> Response:
        return answer(request).having(link=None)


@dataclass(frozen=True)
class EndlessPages(Fault):
    """The next page is always this one."""

    of_body = False

    def apply(self, request: Request, answer: Answer) -> Response:
        host = request.header("host")
        return answer(request).having(link=f'<http://{host}{request.target}>; rel="next"')


@dataclass(frozen=True)
class CutJson(Fault):
    """The page ends in the middle, under a length that fits: JSON that is none."""

    of_body = False

    def apply(self, request: Request, answer: Answer) -> Response:
        response = answer(request)
        return replace(response, content=InMemory(response.content.read()[:-2]))
