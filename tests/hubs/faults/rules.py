"""Which faults are switched on, for which requests, how often."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tests.hubs.faults.base import Answer, Fault
from tests.hubs.log import matches
from tests.hubs.messages import Request, Response


@dataclass
class Rule:
    """A fault that is switched on. `hits` counts the requests it has met."""

    fault: Fault
    path: str
    origin: str | None
    method: str | None
    times: int | None
    after: int
    hits: int = 0
    seen: int = 0

    def fits(self, request: Request) -> bool:
        touched = request.delivers or self.origin is not None or not self.fault.of_body
        wanted = self.method or ("GET" if self.fault.of_body else None)
        return (
            touched
            and self.origin in (None, request.origin)
            and wanted in (None, request.method)
            and matches(self.path, request.path, request.subject)
        )

    def take(self) -> bool:
        """Count one request that fits; whether the fault is due."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


@dataclass
class Faults:
    _rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        fault: Fault,
        path: str = "*",
        *,
        origin: str | None = None,
        method: str | None = None,
        times: int | None = None,
        after: int = 0,
    ) -> Rule:
        rule = Rule(fault, path, origin, method, times, after)
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        with self._lock:
            self._rules.remove(rule)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def around(self, request: Request, answer: Answer) -> Response:
        """The response after all that is due for this request."""
        with self._lock:
            due = [rule.fault for rule in self._rules if rule.fits(request) and rule.take()]
        for fault in due:
            answer = _wrapped(fault, answer)
        return answer(request)


def _wrapped(fault: Fault, answer: Answer) -> Answer:
    return lambda request: fault.apply(request, answer)
