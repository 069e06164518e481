"""Parameters are checked by their type's own serializer; what is wrong is named, however deep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rest_framework import serializers

from jobs import kinds
from jobs.errors import InvalidParams
from tests.jobs.kinds import TRIAL

pytestmark = pytest.mark.pure


class BoxSerializer(serializers.Serializer[Any]):
    width = serializers.IntegerField(min_value=1)
    names = serializers.ListField(child=serializers.CharField(max_length=3), default=list)


class NestedSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(required=False)
    box = BoxSerializer(required=False)
    boxes = BoxSerializer(many=True, required=False)


NESTED = replace(TRIAL, serializer="tests.jobs.test_kinds.NestedSerializer")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"title": []}, {"title"}),
        ({"box": {"width": 0}}, {"box.width"}),
        ({"box": {"width": 1, "names": ["ok", "long"]}}, {"box.names.1"}),
        ({"boxes": [{"width": 1}, {"width": 0}, {}]}, {"boxes.1.width", "boxes.2.width"}),
        ({"boxes": [{"width": 1}, 7]}, {"boxes.1.non_field_errors"}),
        ({"boxes": 7}, {"boxes.non_field_errors"}),
        ({"title": [], "box": {}}, {"title", "box.width"}),
        ({"depth": 1}, {"depth"}),
    ],
)
def test_what_is_wrong_is_told_by_field_in_sentences(given: Any, named: set[str]) -> None:
    with pytest.raises(InvalidParams) as refused:
        kinds.parse(NESTED, given)
    fields = refused.value.details["fields"]
    assert set(fields) == named
    assert all(type(text) is str for told in fields.values() for text in told)
    assert all(told for told in fields.values())


def test_what_is_right_comes_back_as_json_keeps_it() -> None:
    given = {"title": "a", "boxes": [{"width": "3"}]}
    expected = {"title": "a", "boxes": [{"width": 3, "names": []}]}
    assert kinds.parse(NESTED, given) == expected
