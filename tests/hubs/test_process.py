"""A hub in a process of its own is the same hub, and goes when it should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests import hubs
from tests.hubs import RemoteHub
from tests.hubs.asking import ask
from tests.hubs.process import ROOT

pytestmark = [pytest.mark.pure, pytest.mark.live]

FILE = "/dreamforge-demo/forge-xl/resolve/main/forge-xl.safetensors"


STARTER = """
import time
from tests import hubs
with hubs.process() as hub:
    print(hub.endpoint, flush=True)
    time.sleep(600)
"""


@contextmanager
def started(
    command: list[str],
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """A process, its output and its messages; killed at the end if it is still there."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        assert process.stderr
        try:
            yield process, process.stdout, process.stderr
        finally:
            process.kill()


def brought(hub: RemoteHub) -> int:
    return len(ask(ask(hub.endpoint + FILE).location).body)


def test_it_is_filled_watched_and_broken_from_outside() -> None:
    with hubs.process(size_mib=1) as hub:
        size = brought(hub)
        assert 1 << 20 <= size < (1 << 20) + 4096
        assert hub.bytes_sent("*forge-xl.safetensors", origin="cdn") == size
        assert [entry["origin"] for entry in hub.requests()] == ["huggingface", "cdn"]
        whoami = f"{hub.endpoint}/api/whoami-v2"
        assert ask(whoami, authorization=f"Bearer {hub.huggingface_token}").json["name"] == "reader"
        hub.add_fault("Truncated", at=1000, path="*.safetensors", times=1)
        assert brought(hub) == 1000
        hub.add_fault("Status", status=500)
        hub.clear_faults()
        location = ask(hub.endpoint + FILE).location
        hub.expire_all()
        assert ask(location).status == 403
        before = hub.cdn_origin
        hub.rotate_cdn()
        assert hub.cdn_origin != before
        assert brought(hub) == size
        hub.forget_requests()
        assert hub.requests() == []
        assert ask(hub.cdn_origin, authorization="Bearer a").status == 400
        assert hub.leaks == [{"origin": "cdn", "path": "/", "where": "authorization"}]
    with pytest.raises(ProcessLookupError):
        os.kill(hub.pid, 0)


def test_it_keeps_the_ports_it_was_given_and_stops_on_a_signal() -> None:
    port = 20_000 + os.getpid() % 10_000  # below those the kernel hands out
    command = [sys.executable, "-m", "tests.hubs", "--ports", f"{port},0,0,0"]
    with started(command) as (process, output, messages):
        assert json.loads(output.readline())["huggingface"] == f"http://127.0.0.1:{port}"
        assert messages.readline() == f"export HF_ENDPOINT=http://127.0.0.1:{port}\n".encode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == os.EX_OK


def test_it_does_not_outlive_whoever_started_it() -> None:
    with started([sys.executable, "-c", STARTER]) as (process, output, messages):
        endpoint = output.readline().decode().strip()
        assert ask(endpoint + "/api/models").status == 200
        process.kill()
        assert messages.read() == b""  # it ends when nobody holds it any more, the hub included


def test_a_fill_that_fails_is_an_error_at_once() -> None:
    with pytest.raises(RuntimeError, match="the hub process ended with 1"):
        hubs.process("tests.hubs.demo:nothing").__enter__()
