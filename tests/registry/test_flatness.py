"""With 20,000 models in the table, no page of a list reads more than a page of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from registry import selection
from registry.models import Model
from registry.selection import Filters

MANY = 20_000
KINDS = ("sdxl-checkpoint", "lora", "vae", "embedding")
RARE = "upscaler"  # of a frequent kind a page is soon found by age, and PostgreSQL knows
# In the words of either database.
SORT_OR_SCAN = r'TEMP B-TREE|"Sort"|SCAN registry_model(?! USING)|"Seq Scan"'


@pytest.fixture(scope="module")
def crowd(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Of each 50 one is disabled, and of each 1000 one is gone."""
    with django_db_blocker.unblock():
        Model.objects.bulk_create(_models(), batch_size=2000)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        yield
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM registry_model")


def _models() -> Iterator[Model]:
    now = timezone.now()
    for at in range(MANY):
        created = now - timedelta(seconds=MANY - at)
        yield Model(
            name=f"model-{at}",
            kind=RARE if at % 20 == 7 else KINDS[at % len(KINDS)],
            version="1",
            installed=at % 1000 != 0,
            enabled=at % 50 != 0,
            trust="verified",
            source_uri=f"hf:acme/model-{at}",
            local_path=f"x/model-{at}@1",
            search_text=f"model-{at} 1 hf:acme/model-{at}",
            created_at=created,
            updated_at=created,
        )


def plan(models: Any) -> str:
    options = {"format": "json"} if connection.vendor == "postgresql" else {}
    return str(models.explain(**options))


LISTS: dict[str, tuple[Filters, str]] = {
    "usual": (Filters(), r"\bmodel_enabled\b"),
    "usual by kind": (Filters(kind=RARE), r"\bmodel_enabled_by_kind\b"),
    "all": (Filters(enabled=None), r"\bmodel_by_age\b"),
    "all by kind": (Filters(enabled=None, kind=RARE), r"\bmodel_by_kind\b"),
    "disabled": (Filters(enabled=False), r"\bmodel_disabled\b"),
    "gone": (Filters(enabled=None, installed=False), r"\bmodel_missing\b"),
    "installed": (Filters(enabled=None, installed=True), r"\bmodel_by_age\b"),
    "enabled and installed": (Filters(installed=True), r"\bmodel_enabled\b"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("filters", "index"), LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("deep", [False, True], ids=["first page", "deep page"])
def test_a_page_reads_its_index_in_order_and_sorts_nothing(
    crowd: None, filters: Filters, index: str, deep: bool
) -> None:
    models = selection.listed(filters).order_by("-created_at", "-id")
    if deep:
        models = models.filter(created_at__lte=timezone.now() - timedelta(seconds=MANY * 0.9))
    said = plan(models.values(*selection.LISTED)[:51])
    assert re.search(index, said), said
    assert not re.findall(SORT_OR_SCAN, said), said


@pytest.mark.django_db
def test_a_name_and_the_default_are_found_by_an_index(crowd: None) -> None:
    found = {
        "name": Model.objects.filter(name="model-7").order_by()[:6],
        "default": Model.objects.filter(is_default=True).order_by(),
        "first": Model.objects.filter(kind=RARE, enabled=True).order_by("created_at", "id")[:1],
        "missing": Model.objects.filter(installed=False).order_by("-created_at", "-id")[:51],
    }
    read_whole = [what for what, models in found.items() if re.search(SORT_OR_SCAN, plan(models))]
    assert read_whole == []


@pytest.mark.django_db
def test_the_default_of_a_crowd_is_the_oldest_checkpoint_that_is_enabled(crowd: None) -> None:
    assert selection.default().name == "model-4"
