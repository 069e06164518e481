"""Clients of the small site and of the real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

SAMPLE = "tests.dreamforge_site.api.sample_site"


@pytest.fixture
def sample() -> Iterator[Client]:
    """A client of the small site; exceptions become answers, as for a real client."""
    with override_settings(ROOT_URLCONF=SAMPLE):
        yield Client(raise_request_exception=False)


@pytest.fixture
def site() -> Client:
    """A client of the real site."""
    return Client(raise_request_exception=False)
