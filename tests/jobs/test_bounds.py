"""An event that says too much is cut where it is written, and says that it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import bounds, events, submission
from jobs.events import Note
from jobs.models import Event

VALUES = st.one_of(st.text(max_size=30), st.just("é" * 40_000), st.just(["x" * 30_000] * 3))


@pytest.mark.django_db
def test_an_event_that_is_too_big_is_stored_cut_and_marked() -> None:
    job = submission.submit("selftest", {}, None)
    said = {"step": 3, "listing": ["x" * 15_000] * 6, "after": "it"}
    assert events.append(job.id, [Note("note", "ü" * 9_000, payload=said)])
    stored = Event.objects.get(job=job, code="note")
    assert stored.message.endswith("ü… (cut: 18000 bytes)")
    assert len(stored.message.encode()) <= bounds.MESSAGE_BYTES
    assert stored.payload["step"] == 3
    assert stored.payload["after"] == "it"
    assert stored.payload["cut"] == ["listing (90037 bytes)"]


@pytest.mark.pure
def test_what_fits_exactly_is_left_alone() -> None:
    text = "x" * bounds.MESSAGE_BYTES
    data = {"a": "x" * (bounds.PAYLOAD_BYTES - len('{"a": ""}'))}
    assert bounds.message(text) == text
    assert bounds.payload(data) is data


@pytest.mark.pure
@given(st.text(), st.sampled_from(["x", "é", "\U0001f600"]))
def test_a_message_is_never_longer_and_never_half_a_character(head: str, filler: str) -> None:
    cut = bounds.message(head + filler * 9_000)
    assert len(cut.encode()) <= bounds.MESSAGE_BYTES
    assert "\ufffd" not in cut.replace(head, "")


@pytest.mark.pure
@given(st.dictionaries(st.text(max_size=60), VALUES, max_size=40))
def test_a_payload_is_never_bigger_and_tells_what_is_missing(data: dict[str, object]) -> None:
    kept = bounds.payload(data)
    assert len(json.dumps(kept, ensure_ascii=False).encode()) <= bounds.PAYLOAD_BYTES
    assert kept == data or len(kept[bounds.CUT]) >= 1
