"""How long a server asks to wait."""

from __future__ import annotations

import pytest

from downloader.library.http.waiting import asked_for_s, backoff_s

pytestmark = pytest.mark.pure

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"retry-after": "Tuesday, 14-Nov-23 22:13:50 GMT"}, 30),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 40}, 999_999_999),
        ({"ratelimit": '"api";r=0;t=42'}, 42),
        ({"ratelimit": '"api"; r=0; t=42'}, 42),
        ({"ratelimit": '"api";r=17;t=42'}, None),
        ({"ratelimit-reset": "12"}, 12),
        ({"ratelimit-reset": "12", "ratelimit-remaining": "0"}, 12),
        ({"ratelimit-reset": "12", "ratelimit-remaining": "3"}, None),
        ({"retry-after": "7", "ratelimit": '"api";r=0;t=42'}, 7),
        ({}, None),
    ],
    ids=str,
)
def test_what_the_server_says_counts(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_for_s(headers, NOW) == seconds


def test_waits_grow_to_a_bound_and_are_never_alike_for_all() -> None:
    waits = [[backoff_s(failure) for _ in range(50)] for failure in (1, 4, 50)]
    assert max(waits[0]) < min(waits[1]) < max(waits[1]) < min(waits[2]) <= max(waits[2]) <= 20
    assert len(set(waits[0])) > 10
