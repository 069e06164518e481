"""A hub on loopback, a client with little patience, and sources that ask one through the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from downloader.library.http import Client, ClientOptions
from downloader.library.sources.civitai import CivitAI
from downloader.library.sources.huggingface import HuggingFace
from downloader.library.watch import Control
from tests import hubs
from tests.downloader.library.sources.civitai_told import FILES, FULL
from tests.hubs.civitai import Version

HASTY = ClientOptions(attempts=2, read_timeout_s=5.0, max_wait_s=2.0, proxies={})


@pytest.fixture
def hub() -> Iterator[hubs.Hub]:
    with hubs.running() as running:
        yield running


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(HASTY) as client:
        yield client


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def huggingface(hub: hubs.Hub, client: Client) -> HuggingFace:
    """Without a token."""
    return HuggingFace(client, {"endpoint": hub.huggingface.endpoint})


@pytest.fixture
def reader(hub: hubs.Hub, client: Client) -> HuggingFace:
    """With the token of an account that repositories let in."""
    settings = {"endpoint": hub.huggingface.endpoint, "token": hub.huggingface.token}
    return HuggingFace(client, settings)


@pytest.fixture
def civitai(hub: hubs.Hub, client: Client) -> CivitAI:
    """Without a token."""
    return CivitAI(client, {"endpoint": hub.civitai_endpoint})


@pytest.fixture
def member(hub: hubs.Hub, client: Client) -> CivitAI:
    """With the token of an account that may download what asks for a login."""
    return CivitAI(client, {"endpoint": hub.civitai_endpoint, "token": hub.civitai.token})


@pytest.fixture
def two_versions(hub: hubs.Hub) -> None:
    """Model 5 with the versions 51 (newer) and 50."""
    hub.civitai.add(
        5,
        [Version(51, "v2.0", FILES, words=("sks", "style")), Version(50, "v1.0", (FULL,))],
        name="Über Model XL!",
        creator="painter",
        tags=("photo",),
    )
