"""The running server: its logs hold no secret, and a part that hangs does not hang its probes."""

from __future__ import annotations

import base64
import http.client
import json
import time
from typing import Any

import pytest

from tests.live import ADMIN, LiveSite, StartSite
from tests.services.redis import RedisServer

pytestmark = pytest.mark.live

# Longer than any probe may take, shorter than a hang.
PATIENCE_S = 15
SECRETS = {
    "DF_SECRET_KEY": "canary-signing-key-0123456789-0123456789-0123456789-0123456789",
    "DF_S3_ACCESS_KEY": "canary-s3-access",
    "DF_S3_SECRET_KEY": "canary-s3-secret",
    "DF_METRICS_TOKEN": "canary-metrics-token",
    "DF_ADMIN_PASSWORD": "canary-admin-password",
    "HF_TOKEN": "canary-hub-token",
    "CIVITAI_TOKEN": "canary-civitai-token",
    "DF_BROKER_URL": "redis://:canary-broker-password@127.0.0.1:1/0",
}


def ask(
    site: LiveSite, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE_S)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    payload = None
    if body is not None:
        payload, sent["Content-Type"] = json.dumps(body), "application/json"
    try:
        connection.request(method, path, payload, sent)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(text) if is_json else {"text": text.decode()}


def test_no_secret_reaches_the_log(live_sites: StartSite) -> None:
    site = live_sites(DF_AUTH="on", DF_LOG_LEVEL="debug", **SECRETS)
    name, password = ADMIN
    _, login = ask(site, "POST", "/v1/auth/login", {"username": name, "password": password})
    wrong = {"username": name, "password": "canary-wrong-password"}
    assert ask(site, "POST", "/v1/auth/login", wrong)[0] == 401
    bearer = f"Bearer {login['token']}"
    assert ask(site, "GET", "/v1/auth/me", Authorization=bearer)[0] == 200
    assert ask(site, "GET", "/v1/auth/me", Authorization="Bearer canary.forged.token")[0] == 401
    assert ask(site, "GET", "/v1/auth/me", X_API_Key="dfk_canary12_canary")[0] == 401
    basic = base64.b64encode(b"user:canary").decode()
    ask(site, "GET", "/v1/auth/me?token=canary", Authorization=f"Basic {basic}")
    ask(site, "GET", "/admin/?password=canary", Cookie="sessionid=canary; csrftoken=canary")
    ask(site, "GET", "/metrics", Authorization="Bearer canary-metrics-token")
    status, ready = ask(site, "GET", "/readyz")
    assert (status, ready["message"]) == (503, "Not ready: broker.")
    assert "canary" not in json.dumps(ready)
    site.stop()
    log = site.log()
    events = {json.loads(line)["event"] for line in log.splitlines()}
    assert {"request", "part_not_ready"} <= events
    found = [s for s in ("canary", password, login["token"], login["refresh"], basic) if s in log]
    assert found == []


def test_an_unreachable_database_is_named_and_its_password_is_not(live_sites: StartSite) -> None:
    url = "postgresql://forge:canary-db-password@127.0.0.1:1/forge"
    site = live_sites(DF_DATABASE_URL=url, DF_AUTH="on", DF_LOG_LEVEL="debug")
    status, told = ask(site, "GET", "/readyz")
    assert (status, told["code"]) == (503, "infra_unavailable")
    assert told["message"] == "Not ready: database."
    assert ask(site, "GET", "/healthz")[0] == 200
    site.stop()
    assert "canary" not in site.log() + json.dumps(told)


def test_a_stopped_broker_is_told_in_time_and_its_return_too(
    live_sites: StartSite, redis_server: RedisServer
) -> None:
    site = live_sites(DF_BROKER_URL=redis_server.url, DF_MIN_FREE_BYTES="0")
    assert ask(site, "GET", "/readyz")[0] == 200
    redis_server.pause()
    try:
        answers = [_fresh(site) for _ in range(3)]
    finally:
        redis_server.resume()
    assert [status for status, _ in answers] == [503, 503, 503]
    assert {told["message"] for _, told in answers} == {"Not ready: broker."}
    assert _eventually_ready(site)


def test_two_web_processes_show_one_sum(live_sites: StartSite) -> None:
    site = live_sites(DF_WEB_PROCESSES="2")
    assert any(_processes(site) == 2 for _ in range(60))
    asked = 12
    statuses = [ask(site, "GET", f"/v1/nowhere/{number}")[0] for number in range(asked)]
    assert statuses == [404] * asked
    _, told = ask(site, "GET", "/metrics")
    name = "dreamforge_http_request_duration_seconds_count"
    line = f'{name}{{method="GET",route="unmatched",status="4xx"}} {asked}.0'
    assert line in told["text"].splitlines()


def _processes(site: LiveSite) -> int:
    """How many web processes count here; the second joins a moment after the first answers."""
    time.sleep(0.25)
    _, told = ask(site, "GET", "/metrics")
    return str(told["text"]).count("dreamforge_process_resident_memory_bytes{")


def _fresh(site: LiveSite) -> tuple[int, dict[str, Any]]:
    """An answer that was found out now: the last one is kept for a second."""
    time.sleep(1.1)
    return ask(site, "GET", "/readyz")


def _eventually_ready(site: LiveSite) -> bool:
    return any(_fresh(site)[0] == 200 for _ in range(20))
