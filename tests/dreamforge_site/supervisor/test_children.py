from __future__ import annotations

import time

import pytest

from dreamforge_site.supervisor.backoff import FIRST_S
from dreamforge_site.supervisor.children import Child, Program, describe

pytestmark = pytest.mark.pure


def test_a_crashed_child_is_due_again_only_after_its_wait() -> None:
    child = Child(Program("one", ("true",)))
    before = time.monotonic()
    child.ended(3 << 8)
    assert child.start_due_at is not None
    assert child.start_due_at >= before + FIRST_S


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit status 0"), (3, "exit status 3"), (-9, "SIGKILL"), (-99, "signal 99")],
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert describe(code) == words
