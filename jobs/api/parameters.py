"""The fields of the engine's own job types."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class SelftestSerializer(serializers.Serializer[Any]):
    items = serializers.IntegerField(min_value=1, max_value=100, default=1)
    ticks = serializers.IntegerField(min_value=1, max_value=1000, default=4)
    tick_ms = serializers.IntegerField(min_value=0, max_value=60_000, default=0)
