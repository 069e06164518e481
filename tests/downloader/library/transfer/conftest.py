"""A hub on loopback, and an engine whose pieces are small and whose waits are short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from downloader.library.http import waiting
from tests import hubs
from tests.downloader.library.transfer.world import World


@pytest.fixture
def hub() -> Iterator[hubs.Hub]:
    with hubs.running() as running:
        yield running


@pytest.fixture
def world(hub: hubs.Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(waiting, "_FIRST_S", 0.02)
    with World(hub, tmp_path) as world:
        yield world


@pytest.fixture
def alone(world: World) -> World:
    """A world with one connection, where the order of requests is certain."""
    world.options = replace(world.options, connections=1)
    return world
