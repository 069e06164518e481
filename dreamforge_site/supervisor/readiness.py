"""Asks the started service whether it is ready, from a thread of its own."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

POLL_S = 0.05
RECHECK_S = 0.5
REQUEST_TIMEOUT_S = 5.0
# From here on a service that answers but is not ready is announced all the same, with the reason.
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Readiness:
    ready: bool
    reason: str = ""


def probe(address: str, port: int, host_header: str) -> Readiness | None:
    """What /readyz says; none while nothing answers."""
    connection = http.client.HTTPConnection(address, port, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz", headers={"Host": host_header, "Connection": "close"})
        response = connection.getresponse()
        return read(response.status, response.read(65_536))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def read(status: int, body: bytes) -> Readiness:
    if status == http.client.OK:
        return Readiness(ready=True)
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"/readyz answered {status}"
    return Readiness(ready=False, reason=message)


def watch(ask: Callable[[], Readiness | None], announce: Callable[[Readiness], None]) -> None:
    """Call `announce` once: when ready, or with the reason when patience is at an end."""
    threading.Thread(target=_poll, args=(ask, announce), name="readiness", daemon=True).start()


def _poll(ask: Callable[[], Readiness | None], announce: Callable[[Readiness], None]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = ask()
        if answer is not None and (answer.ready or time.monotonic() > deadline):
            announce(answer)
            return
        time.sleep(POLL_S if answer is None else RECHECK_S)
