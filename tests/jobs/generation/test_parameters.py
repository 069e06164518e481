"""What a request for images may say, and what the job then keeps."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from jobs import kinds, submission
from jobs.errors import InvalidParams
from registry import catalog
from registry.models import Model
from tests.jobs.generation.conftest import a_model, asked

pytestmark = pytest.mark.django_db


def kept(**params: Any) -> dict[str, Any]:
    return kinds.parse(kinds.get("generate"), {"prompt": "x", **params})


def refused(**params: Any) -> dict[str, Any]:
    with pytest.raises(InvalidParams) as error:
        kept(**params)
    fields: dict[str, Any] = error.value.details["fields"]
    return fields


def test_what_is_left_out_is_filled_in(model: Model) -> None:
    assert kept() == {
        "provider": "local-sdxl-epicrealism",
        "prompt": "x",
        "negative_prompt": "",
        "width": 1024,
        "height": 1024,
        "steps": 30,
        "guidance": 7.0,
        "scheduler": "dpmpp_2m_karras",
        "format": "png",
        "embed_metadata": True,
        "seed_strategy": "random",
        "count": 1,
        "model_id": str(model.pk),
    }


def test_what_one_says_goes_before_the_preset_and_the_preset_before_the_rest(model: Model) -> None:
    params = kept(preset="cpu", width=768)
    assert (params["width"], params["height"], params["steps"]) == (768, 512, 20)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", "   "),
        ("prompt", "x" * 4097),
        ("prompt", "a\0b"),
        ("negative_prompt", "x" * 4097),
        ("width", 63),
        ("width", 4104),
        ("width", 100),
        ("height", "tall"),
        ("steps", 0),
        ("steps", 201),
        ("guidance", -0.1),
        ("guidance", 50.1),
        ("scheduler", "magic"),
        ("format", "gif"),
        ("seed", -1),
        ("seed", 2**53),
        ("count", 0),
        ("count", 101),
        ("model_id", "not-an-id"),
        ("model_id", "00000000-0000-4000-8000-000000000000"),
        ("preset", "1gb"),
        ("provider", "elsewhere"),
        ("strange", 1),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(model: Model, field: str, value: Any) -> None:
    assert list(refused(**{field: value})) == [field]


def test_the_bounds_themselves_are_taken(model: Model) -> None:
    kept(
        prompt="🎉" * 4096, width=64, height=4096, steps=200, guidance=0, seed=2**53 - 1, count=100
    )


def test_the_models_own_schema_binds_too(db: None) -> None:
    narrow = a_model("narrow")
    schema = narrow.parameters_schema
    schema["properties"]["width"]["maximum"] = 512
    Model.objects.filter(pk=narrow.pk).update(parameters_schema=schema)
    assert "The model does not take this" in refused(width=1024)["width"][0]


def test_a_disabled_model_is_refused_at_once(model: Model) -> None:
    catalog.disable(model.pk)
    assert "disabled" in refused(model_id=str(model.pk))["model_id"][0]


def test_a_model_that_does_not_draw_is_refused(model: Model) -> None:
    lora = a_model("ink", kind="lora")
    assert "lora" in refused(model_id=str(lora.pk))["model_id"][0]


def test_without_a_model_only_pretending_goes_on(db: None, settings: Settings) -> None:
    assert "model_id" not in kept()
    settings.RUNNER = "sdxl"
    assert "No model" in refused()["model_id"][0]


def test_more_than_the_presets_memory_is_refused_with_what_fits(model: Model) -> None:
    told = refused(preset="24gb", width=4096, height=4096)["width"][0]
    assert "Nearest that fits: 4096x4096 with the preset" in told


def test_counting_up_needs_a_seed(model: Model) -> None:
    assert "seed" in refused(seed_strategy="increment", count=3)


def test_the_job_names_its_model(model: Model) -> None:
    job = submission.submit("generate", asked(), None)
    assert (job.model_id, job.queue, job.summary["count"]) == (model.pk, "gpu", 1)


def test_a_models_own_defaults_go_behind_the_preset_and_the_request(model: Model) -> None:
    catalog.set_defaults(model.pk, {"steps": 24, "guidance": 5.5, "width": 768})
    asked_for = kept(model_id=str(model.pk), preset="cpu", guidance=6)
    assert [asked_for[name] for name in ("steps", "width", "guidance")] == [20, 512, 6.0]
    bare = kept(model_id=str(model.pk))
    assert [bare[name] for name in ("steps", "width", "guidance")] == [24, 768, 5.5]
