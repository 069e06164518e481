from __future__ import annotations

import json

import pytest

from dreamforge_site.supervisor.lines import MAX_LINE_BYTES, Splitter, Style

pytestmark = pytest.mark.pure

JSON = Style(json=True, colour=False)
PLAIN = Style(json=False, colour=False)
TERMINAL = Style(json=False, colour=True)


def test_a_line_that_comes_in_pieces_is_put_together() -> None:
    splitter = Splitter()
    assert splitter.feed(b"one\ntw") == [b"one"]
    assert splitter.feed(b"o\n\n") == [b"two", b""]


def test_the_last_line_needs_no_newline() -> None:
    splitter = Splitter()
    splitter.feed(b"killed in the mid")
    assert splitter.flush() == [b"killed in the mid"]
    assert splitter.flush() == []


def test_a_line_without_end_is_cut_and_says_so() -> None:
    splitter = Splitter()
    for _ in range(5):
        assert splitter.feed(b"x" * 100_000) == []
    [line] = splitter.feed(b"\n")
    assert line.startswith(b"x" * MAX_LINE_BYTES)
    assert line.decode().endswith(f" … {500_000 - MAX_LINE_BYTES} bytes cut")


def test_a_json_line_passes_untouched() -> None:
    line = '{"event": "großes Bild", "n": 1}'.encode()
    assert JSON.render("web", line) == line + b"\n"


def test_a_line_that_is_no_json_becomes_one() -> None:
    shown = json.loads(JSON.render("web", b'Fatal "error"'))
    assert shown["event"] == 'Fatal "error"'
    assert shown["logger"] == "dreamforge.web"
    assert shown["level"] == "info"


def test_control_characters_do_not_reach_a_file() -> None:
    rendered = PLAIN.render("web", b"\x1b[31mred\x1b[0m\x07 \x1b[2Jgone\rback\ttab\xff")
    assert rendered == "web        | red goneback\ttab\ufffd\n".encode()


def test_a_terminal_gets_the_name_in_colour_and_only_colours() -> None:
    rendered = TERMINAL.render("web", b"\x1b[31mred\x1b[2J\x1b]0;title\x07")
    assert rendered.startswith(b"\x1b[36mweb        | \x1b[0m\x1b[31mred")
    assert b"\x1b[2J" not in rendered
    assert b"\x07" not in rendered
    assert rendered.endswith(b"\x1b[0m\n")
