"""kill -9 at random moments: what follows is right, and costs the pieces that were on the way."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import hubs
from tests.downloader.library.transfer import killed
from tests.downloader.library.transfer.world import sha256_of
from tests.hubs.faults import RateCap

pytestmark = [pytest.mark.live, pytest.mark.pure]

MIB = 1024 * 1024
CONTENTS = {
    "large.bin": hubs.Generated(40 * MIB + 5, seed=1),
    "middle.bin": hubs.Generated(7 * MIB, seed=2),
    "small.bin": hubs.Generated(100_000, seed=3),
}
SIZE = sum(content.size for content in CONTENTS.values())
KILLS = 6


def described(hub: hubs.Hub, folder: Path) -> Path:
    told = {
        name: {
            "url": hub.web.add(f"/{name}", content),
            "size": content.size,
            "sha256": content.sha256,
        }
        for name, content in CONTENTS.items()
    }
    wanted = folder / "wanted.json"
    wanted.write_text(json.dumps(told))
    return wanted


def run_and_kill(wanted: Path, folder: Path, bytes_more: int, hub: hubs.Hub) -> None:
    until = hub.bytes_sent() + bytes_more
    module = "tests.downloader.library.transfer.killed"
    process = subprocess.Popen([sys.executable, "-m", module, wanted, folder])
    while process.poll() is None and hub.bytes_sent() < until:
        time.sleep(0.005)
    process.kill()
    process.wait()


def test_killed_again_and_again_the_bytes_are_right_and_few_are_fetched_twice(
    tmp_path: Path,
) -> None:
    chance = random.Random(4)
    with hubs.running() as hub:
        hub.faults.add(RateCap(8 * MIB))
        wanted = described(hub, tmp_path)
        for _ in range(KILLS):
            run_and_kill(wanted, tmp_path, chance.randint(1, SIZE // KILLS), hub)
        hub.faults.clear()
        fetched = killed.fetch(wanted, tmp_path)
        sent = hub.bytes_sent()
    assert {name: one.computed.sha256 for name, one in fetched.items()} == {
        name: content.sha256 for name, content in CONTENTS.items()
    }
    assert {name: sha256_of(tmp_path / f"{name}.part") for name in CONTENTS} == {
        name: content.sha256 for name, content in CONTENTS.items()
    }
    # A piece of each connection, what lay in its buffers, and the small file.
    lost = killed.CONNECTIONS * (killed.PIECE + 512 * 1024) + 100_000
    assert sent <= SIZE + KILLS * lost
