"""The door of a hub that runs as a process of its own: its log and its faults, on a port that knows
no faults and is in no log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tests.hubs import faults
from tests.hubs.hub import Hub
from tests.hubs.messages import Refused, Request, Response, as_json

RULE = ("path", "origin", "method", "times", "after")


class Door:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def answer(self, request: Request) -> Response:
        door = DOORS.get(request.path.strip("/"))
        if door is None:
            raise Refused(as_json({"doors": sorted(DOORS)}, 404))
        return as_json(door(self._hub, request))


def _origins(hub: Hub, _request: Request) -> dict[str, str]:
    return hub.origins


def _requests(hub: Hub, request: Request) -> list[dict[str, Any]]:
    """`?path=` and `?origin=` choose; DELETE forgets them all."""
    if request.method == "DELETE":
        hub.requests.clear()
    found = hub.requests.of(request.query("path", "*"), origin=request.query("origin") or None)
    return [asdict(entry) for entry in found]


def _leaks(hub: Hub, _request: Request) -> list[dict[str, str]]:
    return [asdict(leak) for leak in hub.leaks]


def _faults(hub: Hub, request: Request) -> dict[str, str]:
    """POST `{"fault": "Reset", "at": 10, "path": "*", "times": 1}` adds one; DELETE ends all."""
    if request.method == "DELETE":
        hub.faults.clear()
        return {}
    told = json.loads(request.body)
    rule = {name: told.pop(name) for name in RULE if name in told}
    hub.faults.add(faults.named(told.pop("fault"), **told), **rule)
    return {}


def _expire(hub: Hub, _request: Request) -> dict[str, str]:
    hub.cdn.expire_all()
    return {}


def _rotate(hub: Hub, _request: Request) -> dict[str, str]:
    hub.rotate_cdn()
    return hub.origins


DOORS: dict[str, Callable[[Hub, Request], Any]] = {
    "origins": _origins,
    "requests": _requests,
    "leaks": _leaks,
    "faults": _faults,
    "expire": _expire,
    "rotate": _rotate,
}
