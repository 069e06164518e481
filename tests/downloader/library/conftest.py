from __future__ import annotations

from pathlib import Path

import pytest

from downloader.library.store import Store
from tests.downloader.library.store.world import QUICK


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Of a root that is not there yet; its signs beat quickly."""
    return Store(tmp_path / "models", rhythm=QUICK)
