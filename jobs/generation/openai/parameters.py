"""What that API's clients may ask for, and the `generate` job it becomes.

Unknown parameters are refused, as that API does. Those of its parameters that mean nothing here
(`user`, `moderation`, `style`, `output_compression`) are checked and not used; what would change
the answer and cannot be done (`stream`, a transparent background, webp) is refused. A few of our
own fields are taken beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from jobs.errors import InvalidParams
from jobs.generation.openai import naming, showing
from jobs.generation.parameters import GenerateSerializer
from registry.parameters import LONGEST_PROMPT

MOST_IMAGES = 10
AUTO = "auto"
SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})\Z")
# More steps are what quality means to this engine; the rest take the model's own number.
STEPS_BY_QUALITY = {"low": 20, "high": 50, "hd": 50}
QUALITIES = (AUTO, "low", "medium", "high", "standard", "hd")
FORMATS = {"png": "png", "jpeg": "jpg"}
# Our own, for those who know them (`extra_body` of the official clients).
OWN = ("negative_prompt", "seed", "seed_strategy", "steps", "guidance", "scheduler", "preset")
# What only the job itself can find fault with, by that API's name for it.
ASKED_AS = {"width": "size", "height": "size", "model_id": "model"}


def _choice(*choices: str) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=choices, required=False, allow_null=True)


def _text(longest: int) -> serializers.CharField:
    return serializers.CharField(
        max_length=longest, required=False, allow_null=True, allow_blank=True
    )


def _number(least: int, most: int) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=least, max_value=most, required=False, allow_null=True
    )


class ImagesSerializer(serializers.Serializer[Any]):
    prompt = serializers.CharField(max_length=LONGEST_PROMPT)
    model = _text(naming.LONGEST)
    n = _number(1, MOST_IMAGES)
    size = _text(20)
    quality = _choice(*QUALITIES)
    response_format = _choice(*showing.FORMS)
    output_format = _choice(*FORMATS)
    background = _choice(AUTO, "opaque")
    stream = serializers.BooleanField(required=False, allow_null=True)
    partial_images = _number(0, 0)
    output_compression = _number(0, 100)
    moderation = _choice(AUTO, "low")
    style = _choice("vivid", "natural")  # type: ignore[assignment]  # that API's own word
    user = _text(1000)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        known = GenerateSerializer().get_fields()
        own = {name: known[name] for name in OWN}
        for field in own.values():
            field.required, field.default = False, serializers.empty
        return {**super().get_fields(), **own}

    def validate_size(self, size: str | None) -> str | None:
        if size and size != AUTO and not SIZE.match(size):
            raise serializers.ValidationError(
                "Takes `auto` or WIDTHxHEIGHT in pixels, both multiples of 8, such as 1024x1024."
            )
        return size

    def validate_stream(self, wanted: bool | None) -> bool | None:
        if wanted:
            raise serializers.ValidationError("Images are not streamed here; leave `stream` out.")
        return wanted


def job_params(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the job; UnknownModel when there is none of that name."""
    params = {name: asked[name] for name in OWN if asked.get(name) is not None}
    params |= {"prompt": asked["prompt"], "count": asked.get("n") or 1}
    params["format"] = FORMATS[asked.get("output_format") or "png"]
    size = SIZE.match(asked.get("size") or AUTO)
    if size:
        params |= {"width": int(size[1]), "height": int(size[2])}
    steps = STEPS_BY_QUALITY.get(asked.get("quality") or AUTO)
    if steps:
        params.setdefault("steps", steps)
    model = naming.found(asked.get("model") or naming.DEFAULT)
    return params if model is None else {**params, "model_id": str(model.pk)}


def refused(error: InvalidParams, asked: Mapping[str, Any]) -> InvalidParams:
    """The same faults under the names that the caller used."""
    names = ASKED_AS if "steps" in asked else {**ASKED_AS, "steps": "quality"}
    fields = error.details["fields"]
    return InvalidParams({names.get(name, name): reasons for name, reasons in fields.items()})
