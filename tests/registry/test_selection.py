"""Which model a job gets, and why another is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from registry import catalog, selection
from registry.errors import Ambiguous, InvalidModel, UnknownModel
from registry.models import Model
from registry.selection import Filters

from .conftest import HOSTILE, a_model

pytestmark = pytest.mark.django_db


def test_an_enabled_model_is_usable() -> None:
    model = a_model()
    assert selection.usable(model.pk) == model


@pytest.mark.parametrize(
    ("facts", "reason", "said"),
    [
        ({"installed": False}, "not_installed", "is not installed; download it again"),
        ({"enable": False}, "disabled", "is disabled; an operator can enable it"),
        ({"kind": "lora"}, "wrong_kind", "of kind lora"),
    ],
)
def test_another_is_refused_with_its_reason(facts: dict[str, Any], reason: str, said: str) -> None:
    with pytest.raises(InvalidModel, match=said) as raised:
        selection.usable(a_model(**facts).pk)
    assert raised.value.reason == reason
    assert raised.value.details == {"fields": {"model_id": [raised.value.message]}}


def test_an_unknown_one_is_refused_too() -> None:
    with pytest.raises(InvalidModel) as raised:
        selection.usable(uuid.uuid4())
    assert (raised.value.reason, raised.value.code) == ("unknown", "invalid_input")


def test_other_kinds_are_usable_for_who_asks_for_them() -> None:
    lora = a_model(kind="lora")
    assert selection.usable(lora.pk, ("lora",)) == lora


# The default


def test_without_a_model_there_is_no_default() -> None:
    a_model(kind="lora")
    a_model("off", enable=False)
    with pytest.raises(InvalidModel) as raised:
        selection.default()
    assert raised.value.reason == "no_default"


def test_the_first_enabled_checkpoint_is_the_default() -> None:
    a_model("folder", kind="sdxl-diffusers")
    a_model("off", enable=False)
    first = a_model("first")
    a_model("second")
    assert selection.default() == first


def test_where_no_checkpoint_is_enabled_another_that_draws_is_the_default() -> None:
    folder = a_model(kind="sdxl-diffusers")
    assert selection.default() == folder


def test_what_was_set_comes_before_what_is_older() -> None:
    a_model("older")
    chosen = a_model("chosen", kind="sdxl-diffusers")
    catalog.set_default(chosen.pk)
    assert selection.default() == chosen


def test_nothing_takes_the_place_of_a_default_that_cannot_be_used() -> None:
    a_model("other")
    chosen = a_model("chosen")
    catalog.set_default(chosen.pk)
    catalog.disable(chosen.pk)
    with pytest.raises(InvalidModel, match="chosen 1 is disabled"):
        selection.default()


# Lists


def names(**filters: Any) -> set[str]:
    return {model.name for model in selection.listed(Filters(**filters))}


@pytest.fixture
def shelf() -> None:
    a_model("epic")
    a_model("soft", kind="lora")
    a_model("off", enable=False)
    gone = a_model("gone")
    catalog.mark_missing(gone.pk, "gone")


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, {"epic", "soft"}),
        ({"enabled": None}, {"epic", "soft", "off", "gone"}),
        ({"enabled": False}, {"off", "gone"}),
        ({"installed": True}, {"epic", "soft"}),
        ({"installed": False}, set()),
        ({"installed": False, "enabled": None}, {"gone"}),
        ({"installed": True, "enabled": False}, {"off"}),
        ({"kind": "lora"}, {"soft"}),
        ({"kind": "lora", "enabled": False}, set()),
        ({"q": "EPI"}, {"epic"}),
        ({"q": "acme of", "enabled": None}, {"off", "soft"}),
        ({"q": "%"}, set()),
        ({"q": "_"}, set()),
        ({"q": HOSTILE}, set()),
        ({"q": " "}, {"epic", "soft"}),
    ],
)
def test_filters_must_all_hold(filters: dict[str, Any], found: set[str]) -> None:
    assert names(**filters) == found


def test_a_search_knows_no_case_in_any_alphabet() -> None:
    wide = "\uff37\uff21\uff2c\uff24"  # "WALD", in the width of Chinese characters
    a_model(f"Ärger im {wide}")
    assert names(q="ÄRGER") == names(q="wald") == {f"Ärger im {wide}"}


# Names


def test_a_model_is_found_by_id_name_and_version() -> None:
    model, other = a_model("epic", version="2"), a_model("other")
    assert selection.named(str(model.pk)) == model
    assert selection.named("epic") == model
    assert selection.named("epic@2") == model
    assert selection.named("other") == other


def test_a_name_with_an_at_sign_is_a_name_first() -> None:
    model = a_model("a@b")
    assert selection.named("a@b") == model
    assert selection.named("a@b@1") == model


@pytest.mark.parametrize(
    "text", ["nobody", "epic@9", str(uuid.UUID(int=7)), "a\0b", HOSTILE, "@", ""]
)
def test_what_is_not_there_is_not_found(text: str) -> None:
    a_model("epic")
    with pytest.raises(UnknownModel):
        selection.named(text)


def test_a_name_of_several_is_ambiguous_and_the_ids_are_told() -> None:
    models = [a_model("epic", version=str(at)) for at in range(7)]
    with pytest.raises(Ambiguous, match="give an id") as raised:
        selection.named("epic")
    listed = [model for model in models if str(model.pk) in raised.value.message]
    assert len(listed) == 5
    assert Model.objects.count() == 7
