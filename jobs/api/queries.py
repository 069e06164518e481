"""The query parameters that the calls about jobs take."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.api.serializers import STATES

LONGEST_WAIT_S = 600
LARGEST_EVENT_ID = 2_147_483_647


class JobQuerySerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=STATES, required=False)
    type = serializers.CharField(max_length=64, required=False)
    model_id = serializers.UUIDField(required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    dead = serializers.BooleanField(
        required=False, help_text="`true`: only jobs that used up their attempts."
    )


class WaitQuerySerializer(serializers.Serializer[Any]):
    wait = serializers.FloatField(
        required=False,
        min_value=0,
        max_value=LONGEST_WAIT_S,
        help_text="Seconds to hold the answer back for, until the job is done.",
    )


class LogQuerySerializer(serializers.Serializer[Any]):
    tail = serializers.IntegerField(required=False, min_value=1, max_value=10_000)
    since_ts = serializers.DateTimeField(required=False)


class StreamQuerySerializer(serializers.Serializer[Any]):
    since_id = serializers.IntegerField(
        required=False, min_value=0, max_value=LARGEST_EVENT_ID, help_text="As `Last-Event-ID`."
    )
