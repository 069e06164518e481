"""What parent and child say to each other, read strictly on both sides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners import protocol
from runners.errors import ProtocolError
from runners.protocol import Draw, EngineSettings, Failed, Item, ItemDone, Load, Memory, ModelFiles

pytestmark = pytest.mark.pure

DRAW = Draw(
    id="job/1",
    prompt="a lighthouse\n\u2028\U0001f389",
    negative_prompt="",
    width=64,
    height=72,
    steps=3,
    guidance=7.0,
    scheduler="euler",
    format="png",
    out_dir="/images",
    items=(Item(0, 5), Item(1)),
    metadata={"prompt": "x", "nested": {"a": [1, None]}},
)
DONE = ItemDone(0, 5, "/images/0.png", "ab", "cd", 10, 64, 72, "png", 0.5, Memory(1, 2, 3, 4))


def said(name: str, **fields: Any) -> bytes:
    return json.dumps({"v": 1, "type": name, **fields}).encode()


def test_what_the_parent_says_arrives_as_it_was() -> None:
    load = Load(ModelFiles("/m", "diffusers", "ab"), EngineSettings(offload="model"))
    assert protocol.read_as_child(protocol.encode(load)) == load
    assert protocol.read_as_child(protocol.encode(DRAW)) == DRAW


def test_what_the_child_says_arrives_as_it_was() -> None:
    assert protocol.read_as_parent(protocol.encode(DONE)) == DONE


@given(st.text())
def test_any_text_is_one_line_and_arrives(text: str) -> None:
    message = Failed("internal", "m", detail=text)
    try:
        line = protocol.encode(message)
    except ProtocolError:
        return
    assert line.count(b"\n") == 1
    assert protocol.read_as_parent(line) == message


def test_a_message_for_the_other_side_is_not_understood() -> None:
    with pytest.raises(ProtocolError, match="unknown type"):
        protocol.read_as_parent(protocol.encode(DRAW))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no object"),
        (said("Step", index=0, step=1, steps=2).replace(b'"v": 1', b'"v": 2'), "version 2"),
        (said("Steps"), "unknown type"),
        (said("Step", index=0, step=1), "no field 'steps'"),
        (said("Step", index=0, step=1, steps=2, extra=1), "unknown field 'extra'"),
        (said("Step", index=True, step=1, steps=2), "Step.index"),
        (said("Step", index="0", step=1, steps=2), "Step.index"),
        (said("Loading", fraction="half"), "Loading.fraction"),
        (b'{"v": 1, "type": "Loading", "fraction": NaN}', "Loading.fraction"),
        (said("Loaded", seconds=1, memory=[]), "Memory: not an object"),
        (said("Failed", code="strange", message=""), "no such code"),
    ],
)
def test_anything_else_is_refused_and_named(line: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        protocol.read_as_parent(line)


def test_a_line_that_is_too_long_is_neither_sent_nor_read() -> None:
    with pytest.raises(ProtocolError, match="longer"):
        protocol.encode(Failed("internal", "x" * protocol.LONGEST_LINE))
    with pytest.raises(ProtocolError, match="longer"):
        protocol.read_as_parent(b" " * (protocol.LONGEST_LINE + 1))
