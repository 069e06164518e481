"""How many jobs a second a server takes from a few busy clients."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ProcessPoolExecutor

CONNECTIONS = 4
SECONDS = 8.0


def rate(port: int) -> float:
    with ProcessPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(_post_for_a_while, [port] * CONNECTIONS)) / SECONDS


def _post_for_a_while(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"type": "selftest"})
    until = time.monotonic() + SECONDS
    done = 0
    while time.monotonic() < until:
        connection.request("POST", "/v1/jobs", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.ACCEPTED
        done += 1
    return done
