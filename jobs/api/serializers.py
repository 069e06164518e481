"""The shapes of requests and answers about jobs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.utils.module_loading import import_string
from rest_framework import serializers
from rest_framework.utils import html

from jobs import kinds
from jobs.kinds import Kind
from jobs.models import Job, Queue, Step
from jobs.states import State
from jobs.submission import PRIORITY_RANGE
from jobs.webhooks import hooks
from jobs.webhooks.models import URL_LENGTH

STATES = [state.value for state in State]
MOST_AT_ONCE = 200
COMMON = ("type", "priority", "webhook")


class JobWebhookSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(
        max_length=URL_LENGTH, help_text="http or https, at a public address."
    )
    events = serializers.MultipleChoiceField(
        choices=hooks.EVENTS, required=False, help_text="Absent or empty: all of them."
    )


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
    webhook = JobWebhookSerializer(
        required=False, help_text="Called when the job has ended; see the webhook calls."
    )

    @staticmethod
    def shared() -> JobCreateSerializer:
        """One for all requests, to be asked for its fields and to check with: making it costs more
        than the rest of a request."""
        return _job_create_serializer(tuple(kinds.table()))

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
        common = {name: data[name] for name in COMMON if name in data}
        if html.is_html_input(data):
            common |= _webhook_of_form(data)
        checked: dict[str, Any] = {"webhook": None}
        errors: dict[str, Any] = {}
        for name in COMMON:
            try:
                field = self.fields[name]
                value = common.get(name, serializers.empty)
                if value is not serializers.empty or name != "webhook":
                    checked[name] = field.run_validation(value)
            except serializers.ValidationError as error:
                errors[name] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        own = {name: data[name] for name in data if name.partition(".")[0] not in COMMON}
        checked["params"] = given(own, data)
        return checked

    def get_initial(self) -> dict[str, Any]:
        """What the browsable API's empty form starts from; a type's own defaults stay its own."""
        return {"type": next(iter(kinds.table()), ""), "priority": 0}


@cache
def _job_create_serializer(_types: tuple[str, ...]) -> JobCreateSerializer:
    return JobCreateSerializer()


class RequeueSerializer(serializers.Serializer[Any]):
    """`kind` is the type of the job at hand: its fields, and no other, may be changed."""

    params = serializers.DictField(
        required=False, help_text="Parameters to change; the others stay as they were."
    )

    def __init__(self, *args: Any, kind: Kind | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        if self.kind is not None:
            fields["params"] = import_string(self.kind.serializer)(required=False)
        return fields

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """As it was sent: the values are checked together with those that stay."""
        sent = (
            html.parse_html_dict(data, "params")
            if html.is_html_input(data)
            else data.get("params", {})
        )
        if not isinstance(sent, Mapping):
            raise serializers.ValidationError({"params": ["Must be an object."]})
        return {"params": given(sent, data)}


class RequeueDeadSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(max_length=64, required=False, help_text="Only of this type.")
    limit = serializers.IntegerField(min_value=1, max_value=MOST_AT_ONCE, default=50)


def _webhook_of_form(data: Any) -> dict[str, Any]:
    sent = html.parse_html_dict(data, "webhook")
    if not sent.get("url"):
        return {}
    return {"webhook": {"url": sent["url"], "events": sent.getlist("events")}}


def given(fields: Mapping[str, Any], data: Any) -> dict[str, Any]:
    """A form sends a blank for each field that was not filled in; JSON sends what it means."""
    is_form = html.is_html_input(data)
    return {name: value for name, value in fields.items() if not (is_form and value == "")}


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
    owner_id = serializers.UUIDField(allow_null=True, help_text="Null: a job of the service.")

    class Meta(JobSummarySerializer.Meta):
        fields = [
            *JobSummarySerializer.Meta.fields,
            "params",
            "model",
            "steps",
            "place",
            "owner_id",
            "requeued_from",
            "request_id",
        ]
        read_only_fields = fields

    model = serializers.DictField(allow_null=True)


class FinishedSerializer(serializers.Serializer[Any]):
    """The answer to a creation that was waited for."""

    job = JobSerializer()


class RequeuedJobSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The dead letter.")
    job = CreatedJobSerializer(help_text="The new job.")


class RefusedJobSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The dead letter, which stays on the list.")
    code = serializers.CharField()
    message = serializers.CharField()


class RequeuedSerializer(serializers.Serializer[Any]):
    requeued = RequeuedJobSerializer(many=True)
    refused = RefusedJobSerializer(many=True)


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


class StreamedEventSerializer(serializers.Serializer[Any]):
    """One event of a stream."""

    id = serializers.CharField(help_text="Grows within the job; what `Last-Event-ID` sends back.")
    event = serializers.ChoiceField(choices=["progress", "log", "artifact", "error", "end"])
    data = serializers.CharField(  # type: ignore[assignment]  # the stream's own word
        help_text="A line of the log as JSON; of `end`: the status."
    )


class QueueSerializer(serializers.ModelSerializer[Queue]):
    depth = serializers.IntegerField()
    running = serializers.IntegerField()
    workers = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = Queue
        fields = ["name", "paused", "reason", "depth", "running", "workers"]
        read_only_fields = fields


class QueuesSerializer(serializers.Serializer[Any]):
    queues = QueueSerializer(many=True)


class PauseSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
