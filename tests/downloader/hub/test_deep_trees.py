"""All files below a folder in one list, as the explorer asks for them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.cache import cache

from downloader.hub import browsing, recalling
from downloader.hub.models import Repo
from tests.downloader.hub.conftest import FILES
from tests.hubs import Hub, faults

pytestmark = pytest.mark.django_db


def test_a_whole_tree_comes_as_files_alone_from_the_hub_and_from_the_mirror(
    hub: Hub, synced: Repo
) -> None:
    cache.clear()
    everything = replace(recalling.place("forge", "sketch"), deep=True)
    told = browsing.tree(everything)
    assert {line["path"] for line in told["files"]} == set(FILES)
    hub.faults.add(faults.Status(503), path="*")
    again = browsing.tree(everything, refresh=True)
    assert again["source"] == "mirror"
    assert {line["path"] for line in again["files"]} == set(FILES)
