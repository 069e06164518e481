"""What is taken for the head of an answer, and what is not."""

from __future__ import annotations

import pytest

from downloader.library.errors import ProtocolViolation
from downloader.library.http import heads

pytestmark = pytest.mark.pure


def parse(*lines: str, first: str = "HTTP/1.1 200 OK") -> heads.Head:
    return heads.parse("\r\n".join([first, *lines, "", ""]).encode("latin-1"))


def test_a_head_is_read() -> None:
    head = parse("Content-Length: 12", 'ETag:  "abc" ', "X-Empty:", "Via: a", "via: b")
    assert (head.status, head.length, head.chunked, head.keeps_alive) == (200, 12, False, True)
    assert dict(head.headers) == {
        "content-length": "12",
        "etag": '"abc"',
        "x-empty": "",
        "via": "a, b",
    }
    assert head.headers["ETAG"] == '"abc"'


@pytest.mark.parametrize(
    ("first", "lines", "kept"),
    [
        ("HTTP/1.1 200 OK", ["Connection: close"], False),
        ("HTTP/1.1 200 OK", ["Connection: foo, CLOSE"], False),
        ("HTTP/1.1 200 OK", [], True),
        ("HTTP/1.0 200 OK", [], False),
        ("HTTP/1.0 200 OK", ["Connection: Keep-Alive"], True),
        ("HTTP/1.1 200", [], True),
    ],
)
def test_who_keeps_the_connection(first: str, lines: list[str], kept: bool) -> None:
    assert parse(*lines, first=first).keeps_alive is kept


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body_whatever_they_say(status: int) -> None:
    assert parse("Content-Length: 5", first=f"HTTP/1.1 {status} X").length == 0


def test_the_same_length_twice_is_one_length() -> None:
    assert parse("Content-Length: 5", "Content-Length: 5").length == 5


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5, 6"],
        ["Content-Length: -5"],
        ["Content-Length: +5"],
        ["Content-Length: 5 6"],
        ["Content-Length: 0x5"],
        ["Content-Length: 9999999999999999999"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["X: a", " folded"],
        ["\tX: a"],
        ["X : a"],
        ["X"],
        [": a"],
        ["X: a\0b"],
        ["X: a\rb"],
        ["X: a\nY: b"],
        ["Ünicode: a"],
        ["X: x"] * 101,
    ],
    ids=str,
)
def test_an_ambiguous_head_is_refused(lines: list[str]) -> None:
    with pytest.raises(ProtocolViolation):
        parse(*lines)


@pytest.mark.parametrize(
    "first",
    [
        "",
        "HTTP/2 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/1.1 600 X",
        "HTTP/1.1 20 X",
        "ICY 200 OK",
        "HTTP/1.1  200 OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.1 200OK",
    ],
)
def test_what_is_not_http_is_refused(first: str) -> None:
    with pytest.raises(ProtocolViolation):
        parse(first=first)


def test_header_values_are_not_in_its_text() -> None:
    assert "secret" not in repr(parse("Set-Cookie: secret").headers)
