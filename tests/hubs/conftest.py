"""A hub for each test of the fake itself, and Hugging Face's own client in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download

from tests import hubs
from tests.hubs import Generated, Hub
from tests.hubs.huggingface import Repository

REPO = "author/repo"
WEIGHTS = Generated(3_000_000, seed=5)
CONFIG = '{"layers": [1, 2, 3]}'
ODD = "sub folder/é#%20?.json"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hubs.running() as hub:
        yield hub


@pytest.fixture(autouse=True)
def _the_client_keeps_to_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Xet storage, no cache of the developer's, no telemetry."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)


@pytest.fixture
def repository(hub: Hub) -> Repository:
    files = {"model.safetensors": WEIGHTS, "config.json": CONFIG, ODD: "odd", "a/b/c.txt": "deep"}
    return hub.huggingface.add(REPO, files, card={"license": "mit"})


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=False)


@pytest.fixture
def download(hub: Hub, tmp_path: Path) -> Callable[..., bytes]:
    """The bytes of a file that `hf_hub_download` brought."""

    def fetch(path: str, repo: str = REPO, *, token: str | bool = False, **asked: Any) -> bytes:
        found = hf_hub_download(
            repo, path, endpoint=hub.endpoint, cache_dir=tmp_path, token=token, **asked
        )
        return Path(found).read_bytes()

    return fetch
