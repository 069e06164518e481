from __future__ import annotations

import pytest

from dreamforge_site.supervisor import readiness
from dreamforge_site.supervisor.readiness import Readiness
from tests.services.process import free_port

pytestmark = pytest.mark.pure


def test_only_200_is_ready() -> None:
    assert readiness.read(200, b"{}") == Readiness(ready=True)


def test_the_failing_part_is_passed_on() -> None:
    answer = readiness.read(503, b'{"code": "infra_unavailable", "message": "Not ready: broker."}')
    assert answer == Readiness(ready=False, reason="Not ready: broker.")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"null"])
def test_an_answer_without_sense_is_told_by_its_status(body: bytes) -> None:
    assert readiness.read(502, body) == Readiness(ready=False, reason="/readyz answered 502")


def test_nothing_answers_on_a_free_port() -> None:
    assert readiness.probe("127.0.0.1", free_port(), "localhost") is None
