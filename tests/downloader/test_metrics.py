"""What is counted of downloads, and what it may not cost them."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from downloader import metrics


class _NoRoom:
    """A counter whose file cannot be made."""

    tried: ClassVar[list[str]] = []

    def labels(self, value: str) -> Any:
        self.tried.append(value)
        raise FileNotFoundError("no folder for counts")


@pytest.mark.pure
def test_a_count_that_cannot_be_written_costs_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_received", _NoRoom)
    monkeypatch.setattr(metrics, "_files", _NoRoom)
    metrics.received("huggingface", 5)
    metrics.ended("installed")
    assert _NoRoom.tried == ["huggingface", "installed"]
