"""How many jobs a second a server takes, posted as `python -m benchmarks posting` posts them."""

from __future__ import annotations

import http
import uuid

from benchmarks import client

CONNECTIONS = 16
REQUESTS = 5000
WARM_UP = 400
LONGEST_S = 25.0  # what they take on a slow machine


def rate(port: int, key: str) -> float:
    def make(_number: int) -> bytes:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": uuid.uuid4().hex}
        return client.request("POST", "/v1/jobs", headers, {"type": "selftest"})

    client.run(port, make, CONNECTIONS, WARM_UP)
    load = client.run(port, make, CONNECTIONS, REQUESTS)
    assert set(load.statuses) == {http.HTTPStatus.ACCEPTED}, load.statuses
    return load.per_second
