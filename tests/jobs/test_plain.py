"""Whatever is said can be stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import plain

pytestmark = pytest.mark.pure

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(value=VALUES)
def test_any_value_becomes_json(value: object) -> None:
    assert json.loads(json.dumps(plain.data(value), allow_nan=False)) == plain.data(value)


@given(value=ANY_TEXT)
def test_any_text_becomes_storable(value: str) -> None:
    assert "\x00" not in plain.text(value)
    plain.text(value).encode()


def test_plain_values_stay_what_they_are() -> None:
    value = {"a": [1, 2.5, True, None, "ünïcode 🔥"], "b": {"c": "d"}}
    assert plain.data(value) == value


def test_what_json_does_not_know_becomes_its_text() -> None:
    assert plain.data({"path": Path("/models")}) == {"path": "/models"}


def test_what_is_too_big_is_cut() -> None:
    assert len(plain.text("x" * 50_000)) == plain.TEXT_LIMIT + 1
    assert len(plain.data(list(range(1000)))) == plain.ITEMS_LIMIT


def test_what_refers_to_itself_comes_to_an_end() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert json.dumps(plain.data(endless))
