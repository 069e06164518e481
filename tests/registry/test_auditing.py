"""What the admin's log says: lines for people, harmless and bounded, whatever names hold."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AnonymousUser

from dreamforge_site.accounts.models import User
from registry import auditing, catalog

from .conftest import a_model, described

pytestmark = pytest.mark.django_db

HOSTILE = "a\0b\x1b[31m\u202ec\nd" + "w" * 100_000


def test_what_nobody_did_is_in_no_list_of_what_people_did() -> None:
    model = a_model()
    auditing.note(model, None, "changed.")
    auditing.note(model, AnonymousUser(), "changed.")
    assert not LogEntry.objects.exists()


def test_hostile_words_are_one_harmless_line_of_bounded_length(operator: User) -> None:
    model = catalog.record(described())
    model.name = HOSTILE
    auditing.note(model, operator, f"changed: {HOSTILE}")
    entry = LogEntry.objects.get()
    assert (entry.object_repr.isprintable(), entry.change_message.isprintable()) == (True, True)
    assert entry.object_repr.startswith("a b [31m c d")
    assert len(entry.object_repr) == auditing.LONGEST_NAME
    assert len(entry.change_message) == auditing.LONGEST


def test_a_change_is_told_with_both_values_each_cut_to_what_people_read() -> None:
    before = {"a": 1, "b": "x" * 1_000, "c": 3, "d": True, "e": ""}
    told = auditing.changes(before, {"a": 2, "b": [1, "y"], "c": 3, "d": False, "e": "z"})
    cut = "x" * (auditing.LONGEST_VALUE - 1) + "…"
    assert told == f'a: 1 → 2; b: {cut} → [1, "y"]; d: yes → no; e: none → z'


def test_of_a_prompt_only_the_change_is_told() -> None:
    before = {"prompt": "a fox", "negative_prompt": ""}
    after = {"prompt": "a hare", "negative_prompt": "blur"}
    assert auditing.changes(before, after) == "prompt changed; negative_prompt changed"


def test_what_is_empty_is_left_out_of_a_sentence() -> None:
    told = auditing.facts({"ref": "hf:a/b", "name": None, "force": False, "paths": []})
    assert auditing.sentence("started", told, "") == "started: ref: hf:a/b; force: no."
    assert auditing.sentence("started") == "started."


def test_a_state_that_was_so_already_is_told_as_before() -> None:
    assert auditing.moved("open", "paused") == "open → paused"
    assert auditing.moved("open", "open") == "open as before"
