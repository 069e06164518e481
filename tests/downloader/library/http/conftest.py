"""A hub on loopback and a client that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from downloader.library.http import Client, ClientOptions, waiting
from tests import hubs

OPTIONS = ClientOptions(
    read_timeout_s=0.5, connect_timeout_s=2, attempts=3, max_wait_s=2, proxies={}
)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_FIRST_S", 0.02)


@pytest.fixture
def hub() -> Iterator[hubs.Hub]:
    with hubs.running() as running:
        yield running


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(OPTIONS) as client:
        yield client
