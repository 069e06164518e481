"""What a request for images may say, and what is made of it: preset and model fill in what it
leaves out, and the model's own schema bounds what it says."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from jsonschema import Draft202012Validator
from rest_framework import serializers

from jobs.generation import providers
from jobs.generation.presets import PRESETS, nearest_fit, needed_bytes
from registry import parameters as schemas
from registry import selection
from registry.errors import InvalidModel
from registry.kinds import SDXL_CHECKPOINT
from registry.models import Model

SIDE = (64, 4096, 8)
DEFAULTS: Mapping[str, Any] = {
    name: rule["default"]
    for name, rule in schemas.schema_for(SDXL_CHECKPOINT)["properties"].items()
    if "default" in rule
}
# Bound by the model's own schema as well.
BOUND = ("prompt", "negative_prompt", "width", "height", "steps", "guidance", "scheduler")
FORMATS = ("png", "jpg")
SEED_STRATEGIES = ("random", "increment")
MOST_IMAGES = 100


def _multiple_of_eight(value: int) -> None:
    if value % SIDE[2]:
        raise serializers.ValidationError(f"Must be a multiple of {SIDE[2]}.")


def _side() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=SIDE[0],
        max_value=SIDE[1],
        validators=[_multiple_of_eight],
        required=False,
        help_text=f"A multiple of {SIDE[2]}; {DEFAULTS['width']} if neither preset nor you say.",
    )


class GenerateSerializer(serializers.Serializer[Any]):
    provider = serializers.CharField(max_length=100, default=providers.DEFAULT)
    prompt = serializers.CharField(max_length=schemas.LONGEST_PROMPT)
    negative_prompt = serializers.CharField(
        max_length=schemas.LONGEST_PROMPT, allow_blank=True, required=False
    )
    width = _side()
    height = _side()
    steps = serializers.IntegerField(min_value=1, max_value=200, required=False)
    guidance = serializers.FloatField(min_value=0, max_value=50, required=False)
    scheduler = serializers.CharField(
        max_length=64, required=False, help_text="One of the names in the model's schema."
    )
    format = serializers.ChoiceField(choices=FORMATS, default="png")
    embed_metadata = serializers.BooleanField(default=True)
    seed = serializers.IntegerField(
        min_value=0, max_value=schemas.LARGEST_SEED, required=False, allow_null=True
    )
    seed_strategy = serializers.ChoiceField(
        choices=SEED_STRATEGIES,
        default="random",
        help_text="Of several images: `random` draws a fresh seed for each; `increment` counts up "
        "from `seed`, so that the whole batch can be made again.",
    )
    seeds = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=schemas.LARGEST_SEED),
        required=False,
        allow_null=True,
        min_length=1,
        max_length=MOST_IMAGES,
        help_text="One for each image, in their order, instead of `seed`; `count` follows.",
    )
    count = serializers.IntegerField(min_value=1, max_value=MOST_IMAGES, default=1)
    model_id = serializers.UUIDField(required=False, allow_null=True)
    preset = serializers.ChoiceField(
        choices=tuple(PRESETS),
        required=False,
        allow_null=True,
        help_text="See `GET /v1/presets`; what you say yourself goes before it.",
    )

    def validate_provider(self, name: str) -> str:
        if name not in providers.known():
            raise serializers.ValidationError(
                f"There is no provider {name!r}; known: {', '.join(providers.known())}."
            )
        return name

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        model = _model(given.get("model_id"))
        own = schemas.defaults_of(model.parameters_schema) if model is not None else {}
        filled = {**DEFAULTS, **own, **_of_preset(given.get("preset")), **given}
        if model is not None:
            _check_schema(model.parameters_schema, filled)
            filled["model_id"] = model.pk
        _check_room(filled)
        if filled["seed_strategy"] == "increment" and filled.get("seed") is None:
            raise serializers.ValidationError({"seed": ["`increment` counts up from a seed."]})
        return _with_seeds(filled) if filled.get("seeds") else filled

    def to_representation(self, params: Any) -> dict[str, Any]:
        """As the job keeps them: every value that decides what is drawn, and nothing that is
        None."""
        kept = {name: value for name, value in params.items() if value is not None}
        if "model_id" in kept:
            kept["model_id"] = str(kept["model_id"])
        return kept


def item_count(params: Mapping[str, Any]) -> int:
    return int(params["count"])


def model_id(params: Mapping[str, Any]) -> uuid.UUID | None:
    return uuid.UUID(params["model_id"]) if params.get("model_id") else None


def _with_seeds(filled: dict[str, Any]) -> dict[str, Any]:
    """As many images as there are seeds, and no second word on any of them."""
    count = len(filled["seeds"])
    if filled.get("seed") is not None:
        raise serializers.ValidationError({"seeds": ["Send `seed` or `seeds`, not both."]})
    if filled["count"] not in (1, count):
        reason = f"There are {count} seeds: leave `count` out, or send as many."
        raise serializers.ValidationError({"count": [reason]})
    return {**filled, "count": count}


def _model(wanted: uuid.UUID | None) -> Model | None:
    """What draws. Only pretended drawing needs no model, and only where none was named."""
    try:
        return selection.usable(wanted) if wanted else selection.default()
    except InvalidModel as error:
        if wanted is None and error.reason == "no_default" and settings.RUNNER == "fake":
            return None
        raise serializers.ValidationError({"model_id": [error.message]}) from None


def _of_preset(name: str | None) -> Mapping[str, Any]:
    return PRESETS[name].parameters if name else {}


def _check_schema(schema: Mapping[str, Any], filled: Mapping[str, Any]) -> None:
    asked = {name: filled[name] for name in BOUND if name in filled}
    errors: dict[str, list[str]] = {}
    for error in Draft202012Validator(schema).iter_errors(asked):
        where = str(error.path[0]) if error.path else "model_id"
        errors.setdefault(where, []).append(f"The model does not take this: {error.message}")
    if errors:
        raise serializers.ValidationError(errors)


def _check_room(filled: Mapping[str, Any]) -> None:
    """A named preset says how much memory there is."""
    preset = PRESETS.get(filled.get("preset") or "")
    if preset is None or preset.memory_bytes == 0:
        return
    width, height = filled["width"], filled["height"]
    if needed_bytes(width, height, preset.engine, preset.parallel) <= preset.memory_bytes:
        return
    fit = nearest_fit(width, height, preset, preset.memory_bytes)
    hint = f" Nearest that fits: {fit.told}." if fit else ""
    message = f"{width}x{height} does not fit into the memory of the preset {preset.name}.{hint}"
    raise serializers.ValidationError({"width": [message]})
