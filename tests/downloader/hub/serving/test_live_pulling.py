"""Two real clients ask at one moment for a repository that nobody has tracked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dreamforge_site.environment import BASE_DIR
from tests import hubs
from tests.downloader.hub.serving import live
from tests.downloader.hub.serving.live import Mirror
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.hubs import Hub, models
from tests.live import StartSite

pytestmark = [pytest.mark.live, pytest.mark.pure]

NAME = "forge/fresh"
WEIGHTS = models.sdxl_checkpoint(size=5_000_000, seed=3)
FILES: dict[str, str | bytes] = {"config.json": "{}", "a/model.safetensors": WEIGHTS.read()}
PATIENT = "import os\nos.environ.update(HF_HUB_ETAG_TIMEOUT='60', HF_HUB_DOWNLOAD_TIMEOUT='60')\n"


@pytest.fixture
def upstream() -> Iterator[Hub]:
    with hubs.running() as hub:
        hub.huggingface.add(NAME, FILES)
        yield hub


@pytest.fixture
def cache(live_sites: StartSite, upstream: Hub, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of nothing that fetches what it is asked for."""
    mirror = live.start(live_sites, upstream, tmp_path, DF_HUB_PULL_THROUGH="on")
    command = [sys.executable, "manage.py", "worker", "--queue", "io"]
    worker = Supervised(command, mirror.site.variables, BASE_DIR)
    try:
        worker.wait_for("worker_started")
        yield mirror
    finally:
        worker.destroy()


def test_two_clients_of_an_unknown_repository_get_it_for_one_transfer(
    cache: Mirror, upstream: Hub, tmp_path: Path
) -> None:
    def download(name: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / name).mkdir()
        code = f"from huggingface_hub import snapshot_download as s\ns({NAME!r}, local_dir='got')"
        return cache.client(tmp_path / name, PATIENT + code)

    with ThreadPoolExecutor(2) as both:
        ended = list(both.map(download, ["first", "second"]))
    assert [ran.returncode for ran in ended] == [0, 0], [ran.stderr for ran in ended]
    expected = live.content(FILES)
    assert live.tree(tmp_path / "first" / "got") == expected
    assert live.tree(tmp_path / "second" / "got") == expected
    # Redirects count as well; a second transfer would be twice as much.
    assert upstream.bytes_sent("*.safetensors") < 1.1 * WEIGHTS.size


def test_one_file_of_an_unknown_repository_comes_to_a_client_that_asks_for_its_head_first(
    cache: Mirror, tmp_path: Path
) -> None:
    code = (
        "from huggingface_hub import hf_hub_download\n"
        f"print('read', open(hf_hub_download({NAME!r}, 'config.json')).read())"
    )
    ran = cache.client(tmp_path, PATIENT + code)
    assert "read {}" in ran.stdout, ran.stderr
