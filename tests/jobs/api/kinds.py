"""A job type that takes text, and one for staff: what hostile parameters are thrown at."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.kinds import Kind


class LetterSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=4096)
    seed = serializers.IntegerField(min_value=0, max_value=2**53 - 1, required=False)
    ratio = serializers.FloatField(min_value=0, max_value=50, default=7.0)
    loud = serializers.BooleanField(default=True)
    format = serializers.ChoiceField(["png", "jpg"], default="png")


LETTER = Kind(
    name="letter",
    queue="io",
    serializer="tests.jobs.api.kinds.LetterSerializer",
    executor="jobs.selftest.execute",
)
STAFF_LETTER = Kind(
    name="staff_letter",
    queue="io",
    serializer="tests.jobs.api.kinds.LetterSerializer",
    executor="jobs.selftest.execute",
    staff_only=True,
)
TABLE = ["tests.jobs.api.kinds.LETTER", "tests.jobs.api.kinds.STAFF_LETTER"]
