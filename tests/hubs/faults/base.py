"""What every fault is: another response in place of the right one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from tests.hubs.messages import Request, Response

Answer = Callable[[Request], Response]


class Fault(ABC):
    """`of_body`: it is about the bytes of a file, so it leaves API calls and redirects alone."""

    of_body: ClassVar[bool] = True

    @abstractmethod
    def apply(self, request: Request, answer: Answer) -> Response:
        """The wrong response in place of `answer(request)`."""
