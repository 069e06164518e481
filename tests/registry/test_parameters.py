"""The schemas a form is drawn from: valid, bounded, with defaults that they accept."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from registry.kinds import DRAWN, KINDS
from registry.parameters import LARGEST_SEED, SCHEDULERS, capabilities_for, schema_for

pytestmark = pytest.mark.pure

ASKED = {"prompt": "a fox"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_and_takes_its_own_defaults(kind: str) -> None:
    schema = schema_for(kind)
    Draft202012Validator.check_schema(schema)
    defaults = {n: p["default"] for n, p in schema["properties"].items() if "default" in p}
    given = {**defaults, **dict.fromkeys(schema["required"], "x")}
    Draft202012Validator(schema).validate(given)
    assert schema["x-order"] == list(schema["properties"])


def test_the_defaults_are_those_of_the_contract() -> None:
    properties = schema_for("sdxl-checkpoint")["properties"]
    assert {name: said.get("default") for name, said in properties.items()} == {
        "prompt": None,
        "negative_prompt": "",
        "width": 1024,
        "height": 1024,
        "steps": 30,
        "guidance": 7.0,
        "scheduler": "dpmpp_2m_karras",
        "seed": None,
        "count": 1,
        "format": "png",
        "embed_metadata": True,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 63),
        ("width", 68),
        ("height", 4104),
        ("height", 512.5),
        ("steps", 0),
        ("steps", 201),
        ("guidance", -0.1),
        ("guidance", 50.5),
        ("scheduler", "ddim_karras"),
        ("seed", -1),
        ("seed", LARGEST_SEED + 1),
        ("count", 101),
        ("format", "webp"),
        ("prompt", ""),
        ("prompt", "x" * 4097),
        ("negative_prompt", None),
        ("sampler", "euler"),
    ],
)
def test_what_sdxl_cannot_draw_is_refused(name: str, value: Any) -> None:
    validator = Draft202012Validator(schema_for("sdxl-diffusers"))
    assert validator.is_valid(ASKED)
    assert not validator.is_valid({**ASKED, name: value})


@pytest.mark.parametrize(
    "edges", [{"width": 64, "height": 4096}, {"seed": LARGEST_SEED}, {"guidance": 0}]
)
def test_the_edges_are_taken(edges: dict[str, Any]) -> None:
    Draft202012Validator(schema_for("sdxl-checkpoint")).validate({**ASKED, **edges})


@pytest.mark.parametrize("kind", ["vae", "embedding", "upscaler", "other"])
def test_what_does_not_draw_takes_nothing(kind: str) -> None:
    assert schema_for(kind)["properties"] == {}
    assert capabilities_for(kind)["tasks"] == []


def test_a_lora_has_a_weight() -> None:
    assert list(schema_for("lora")["properties"]) == ["weight"]


def test_what_draws_says_so() -> None:
    assert [capabilities_for(kind)["tasks"] for kind in DRAWN] == [["text-to-image"]] * 2


def test_a_schema_is_the_callers_to_change() -> None:
    schema_for("vae")["properties"]["x"] = {}
    schema_for("sdxl-checkpoint")["properties"].clear()
    assert schema_for("vae")["properties"] == {}
    assert schema_for("sdxl-checkpoint")["properties"]


def test_no_scheduler_is_named_twice() -> None:
    assert len(set(SCHEDULERS)) == len(SCHEDULERS)
    assert {"euler", "euler_a", "ddim", "dpmpp_2m", "dpmpp_sde_karras", "unipc", "lcm"} < set(
        SCHEDULERS
    )
