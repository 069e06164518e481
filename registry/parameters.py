"""What a model of each kind can be asked for, as JSON Schema (2020-12): bounds, defaults and
choices, so that a page can draw a form from it. Functions of the kind, no I/O.

JSON has no order of fields and PostgreSQL keeps none, so `x-order` names the one for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator

from registry.errors import InvalidDefaults
from registry.kinds import DRAWN, EMBEDDING, LORA, UPSCALER, VAE

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LARGEST_SEED = 2**53 - 1  # every JSON reader keeps an integer up to here
LONGEST_PROMPT = 4096
DEFAULT_SCHEDULER = "dpmpp_2m_karras"
SCHEDULERS = (
    "euler",
    "euler_karras",
    "euler_a",
    "heun",
    "ddim",
    "ddpm",
    "pndm",
    "dpm2",
    "dpm2_karras",
    "dpm2_a",
    "dpm2_a_karras",
    "dpmpp_2m",
    "dpmpp_2m_karras",
    "dpmpp_2m_exponential",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_karras",
    "dpmpp_sde",
    "dpmpp_sde_karras",
    "deis",
    "unipc",
    "unipc_karras",
    "lcm",
    "tcd",
)


def schema_for(kind: str) -> Schema:
    """A fresh copy, for the caller to keep or to change."""
    return deepcopy(SCHEMAS.get(kind, NOTHING))


def capabilities_for(kind: str) -> dict[str, Any]:
    """What a model of this kind is good for: its `role`, and the `tasks` it does by itself."""
    return deepcopy(CAPABILITIES.get(kind, {"role": "other", "tasks": []}))


# What an operator may give a model as its own default; the rest belongs to a single request.
ADJUSTABLE = ("negative_prompt", "width", "height", "steps", "guidance", "scheduler")


def defaults_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a request that says nothing gets from this model."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    said = {name: known[name] for name in ADJUSTABLE if isinstance(known.get(name), Mapping)}
    return {name: about["default"] for name, about in said.items() if "default" in about}


def with_defaults(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> Schema:
    """The schema with these defaults; InvalidDefaults names what it does not take."""
    changed = deepcopy(dict(schema))
    wrong: dict[str, list[str]] = {}
    for name, value in defaults.items():
        about = changed.get("properties", {}).get(name)
        if name not in ADJUSTABLE or not isinstance(about, dict):
            wrong[name] = [f"Not one of: {', '.join(ADJUSTABLE)}."]
        elif problems := [e.message for e in Draft202012Validator(about).iter_errors(value)]:
            wrong[name] = problems
        else:
            about["default"] = value
    if wrong:
        raise InvalidDefaults(wrong)
    return changed


def _side(title: str) -> Schema:
    return {
        "type": "integer",
        "title": title,
        "description": "Pixels; SDXL draws best near 1024 x 1024.",
        "minimum": 64,
        "maximum": 4096,
        "multipleOf": 8,
        "default": 1024,
    }


def _object(properties: Schema, *required: str) -> Schema:
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "x-order": list(properties),
    }


NOTHING = _object({})
IMAGE = _object(
    {
        "prompt": {
            "type": "string",
            "title": "Prompt",
            "description": "What the image shows.",
            "minLength": 1,
            "maxLength": LONGEST_PROMPT,
        },
        "negative_prompt": {
            "type": "string",
            "title": "Negative prompt",
            "description": "What the image keeps away from.",
            "maxLength": LONGEST_PROMPT,
            "default": "",
        },
        "width": _side("Width"),
        "height": _side("Height"),
        "steps": {
            "type": "integer",
            "title": "Steps",
            "description": "More steps take longer; beyond 50 little changes.",
            "minimum": 1,
            "maximum": 200,
            "default": 30,
        },
        "guidance": {
            "type": "number",
            "title": "Guidance",
            "description": "How closely the image follows the prompt.",
            "minimum": 0,
            "maximum": 50,
            "default": 7.0,
        },
        "scheduler": {
            "type": "string",
            "title": "Scheduler",
            "description": "How noise is taken away; lcm and tcd suit only models made for them.",
            "enum": list(SCHEDULERS),
            "default": DEFAULT_SCHEDULER,
        },
        "seed": {
            "type": "integer",
            "title": "Seed",
            "description": "The same seed draws the same image; absent: a fresh one each time.",
            "minimum": 0,
            "maximum": LARGEST_SEED,
        },
        "count": {
            "type": "integer",
            "title": "Images",
            "minimum": 1,
            "maximum": 100,
            "default": 1,
        },
        "format": {"type": "string", "title": "Format", "enum": ["png", "jpg"], "default": "png"},
        "embed_metadata": {
            "type": "boolean",
            "title": "Metadata in the file",
            "description": "Write the prompt and the settings into the image file.",
            "default": True,
        },
    },
    "prompt",
)
WEIGHT = _object(
    {
        "weight": {
            "type": "number",
            "title": "Weight",
            "description": "How strongly it changes the model it is used with.",
            "minimum": -4,
            "maximum": 4,
            "default": 1.0,
        }
    }
)
SCHEMAS = {**dict.fromkeys(DRAWN, IMAGE), LORA: WEIGHT}
CHECKPOINT: dict[str, Any] = {
    "role": "checkpoint",
    "family": "sdxl",
    "tasks": ["text-to-image"],
    "negative_prompt": True,
    "native_size": [1024, 1024],
}
CAPABILITIES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(DRAWN, CHECKPOINT),
    LORA: {"role": "adapter", "tasks": []},
    VAE: {"role": "autoencoder", "tasks": []},
    EMBEDDING: {"role": "embedding", "tasks": []},
    UPSCALER: {"role": "upscaler", "tasks": []},
}
