"""Which bytes a request asks for."""

from __future__ import annotations

import pytest

from downloader.hub.serving import conditions
from downloader.hub.serving.conditions import Asked
from jobs.generation.ranges import Part

pytestmark = pytest.mark.pure

ETAG = '"abc"'
SIZE = 100
WHOLE = Asked(200, Part(0, SIZE, SIZE))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, WHOLE),
        ({"Range": "bytes=10-19"}, Asked(206, Part(10, 10, SIZE))),
        ({"Range": "bytes=90-"}, Asked(206, Part(90, 10, SIZE))),
        ({"Range": "bytes=-5"}, Asked(206, Part(95, 5, SIZE))),
        ({"Range": "bytes=100-"}, Asked(416, None)),
        ({"Range": "bytes=1-2,5-6"}, WHOLE),
        ({"Range": "lines=1-2"}, WHOLE),
        ({"Range": "bytes=10-19", "If-Range": ETAG}, Asked(206, Part(10, 10, SIZE))),
        ({"Range": "bytes=10-19", "If-Range": '"old"'}, WHOLE),
        ({"Range": "bytes=10-19", "If-Range": f"W/{ETAG}"}, WHOLE),
        ({"If-None-Match": ETAG}, Asked(304, None)),
        ({"If-None-Match": f'"x", W/{ETAG}'}, Asked(304, None)),
        ({"If-None-Match": "*"}, Asked(304, None)),
        ({"If-None-Match": '"old"'}, WHOLE),
        ({"If-None-Match": ETAG, "Range": "bytes=10-19"}, Asked(304, None)),
    ],
)
def test_request_gets_these_bytes(headers: dict[str, str], expected: Asked) -> None:
    assert conditions.read(headers, ETAG, SIZE) == expected


def test_empty_file_is_whole() -> None:
    assert conditions.read({}, ETAG, 0) == Asked(200, Part(0, 0, 0))
