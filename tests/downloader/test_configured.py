"""The library as this installation's settings make it."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from downloader import configured

pytestmark = pytest.mark.pure


def test_all_downloads_of_a_process_share_one_cap(settings: Settings) -> None:
    settings.DOWNLOAD_MAX_RATE = 1_000_000
    with configured.tools() as one, configured.tools() as two:
        assert one.engine.bucket is two.engine.bucket
        assert one.engine.bucket.rate == 1_000_000


def test_a_page_of_the_configured_hub_is_a_reference_to_it(settings: Settings) -> None:
    settings.DOWNLOAD_SOURCES = ("hf",)
    settings.DOWNLOAD_SOURCE_SETTINGS = {"hf": {"endpoint": "https://hub.example", "token": ""}}
    assert str(configured.parse("https://hub.example/a/b/tree/main")).startswith("hf:a/b")
