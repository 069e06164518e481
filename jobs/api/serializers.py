"""The shapes of requests and answers about jobs."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string
from rest_framework import serializers

from jobs import kinds
from jobs.models import Job, Queue, Step
from jobs.states import State
from jobs.submission import PRIORITY_RANGE

STATES = [state.value for state in State]
LONGEST_WAIT_S = 600


class JobCreateSerializer(serializers.Serializer[Any]):
    """What every type takes; the type's own fields stand beside it at the top level."""

    type = serializers.CharField(max_length=64, help_text="One of the job types.")
    priority = serializers.IntegerField(
        required=False,
        default=0,
        min_value=PRIORITY_RANGE[0],
        max_value=PRIORITY_RANGE[1],
        help_text="Higher goes first; above 0 is for staff.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Every type's fields are known here, so that a field of no type at all is refused at once;
        the type itself then checks its own."""
        fields = super().get_fields()
        for kind in kinds.table().values():
            for name, field in import_string(kind.serializer)().get_fields().items():
                field.required = False
                fields.setdefault(name, field)
        return fields

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Only what is common is checked here; the rest goes to the type as it was sent."""
        common = {name: data[name] for name in ("type", "priority") if name in data}
        checked: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name in ("type", "priority"):
            try:
                field = self.fields[name]
                value = common.get(name, serializers.empty)
                checked[name] = field.run_validation(value)
            except serializers.ValidationError as error:
                errors[name] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        checked["params"] = {name: data[name] for name in data if name not in common}
        return checked


class RequeueSerializer(serializers.Serializer[Any]):
    params = serializers.DictField(
        required=False, help_text="Other parameters for the new job; default: the old job's."
    )


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
        required=False, min_value=0, max_value=2_147_483_647, help_text="As `Last-Event-ID`."
    )


class StepSerializer(serializers.ModelSerializer[Step]):
    class Meta:
        model = Step
        fields = ["name", "status", "started_at", "finished_at"]
        read_only_fields = fields


class CreatedJobSerializer(serializers.ModelSerializer[Job]):
    class Meta:
        model = Job
        fields = ["id", "status", "type", "created_at"]
        read_only_fields = fields


class CreatedSerializer(serializers.Serializer[Any]):
    job = CreatedJobSerializer()


class JobSummarySerializer(serializers.ModelSerializer[Job]):
    """A job in a list."""

    class Meta:
        model = Job
        fields = [
            "id",
            "type",
            "status",
            "queue",
            "priority",
            "created_at",
            "updated_at",
            "started_at",
            "finished_at",
            "attempts",
            "max_attempts",
            "progress",
            "summary",
            "error_code",
            "error_message",
        ]
        read_only_fields = fields


class PlaceSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text="1 is next.")
    eta_s = serializers.FloatField(
        allow_null=True, help_text="Seconds until it starts, from measured run times."
    )


class JobSerializer(JobSummarySerializer):
    """A job alone: with its parameters, steps, and place in the queue while it waits."""

    steps = StepSerializer(many=True)
    place = PlaceSerializer(allow_null=True)

    class Meta(JobSummarySerializer.Meta):
        fields = [
            *JobSummarySerializer.Meta.fields,
            "params",
            "model",
            "steps",
            "place",
            "requeued_from",
            "request_id",
        ]
        read_only_fields = fields

    model = serializers.DictField(allow_null=True)


class ItemProgressSerializer(serializers.Serializer[Any]):
    item_index = serializers.IntegerField()
    progress = serializers.FloatField()


class StageProgressSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    weight = serializers.FloatField()
    progress = serializers.FloatField()


class ProgressSerializer(serializers.Serializer[Any]):
    progress = serializers.FloatField(min_value=0, max_value=1)
    status = serializers.ChoiceField(choices=STATES)
    items = ItemProgressSerializer(many=True)
    stages = StageProgressSerializer(many=True)


class QueueSerializer(serializers.ModelSerializer[Queue]):
    depth = serializers.IntegerField()
    running = serializers.IntegerField()
    workers = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = Queue
        fields = ["name", "paused", "reason", "depth", "running", "workers"]
        read_only_fields = fields


class PauseSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
