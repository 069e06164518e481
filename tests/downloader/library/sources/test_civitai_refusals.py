"""What CivitAI does not give, or tells wrongly."""

from __future__ import annotations

import pytest

from downloader.library.errors import (
    AccessNeeded,
    NotFound,
    ProtocolViolation,
)
from downloader.library.sources.civitai import CivitAI
from downloader.library.watch import Control
from tests.downloader.library.sources.civitai_told import FULL, only, ref, rewrite
from tests.hubs import Hub
from tests.hubs.civitai import Version

pytestmark = pytest.mark.pure


def test_early_access_without_a_token_says_until_when_and_where_to_buy(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    until = "2999-01-01T00:00:00.000Z"
    hub.civitai.add(5, [Version(51, files=(FULL,), early_access_until=until)])
    with pytest.raises(AccessNeeded, match=f"early access until {until}") as refusal:
        civitai.resolve(ref("5"), control)
    assert refusal.value.visit == f"{hub.civitai_endpoint}/models/5"
    assert refusal.value.details["early_access_until"] == until


def test_an_end_that_is_no_date_is_not_repeated(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    odd = "9 lives and a s3cret"
    hub.civitai.add(5, [Version(51, files=(FULL,), early_access_until=odd)])
    with pytest.raises(AccessNeeded, match="with no end announced") as refusal:
        civitai.resolve(ref("5"), control)
    assert "s3cret" not in f"{refusal.value!r}{refusal.value.details}"


def test_early_access_with_a_token_is_tried_and_noted(
    hub: Hub, member: CivitAI, control: Control
) -> None:
    until = "2999-01-01T00:00:00.000Z"
    hub.civitai.add(5, [Version(51, files=(FULL,), early_access_until=until)])
    resolved = member.resolve(ref("5"), control)
    assert resolved.gated
    assert until in resolved.notes[-1]


def test_early_access_that_is_over_is_none(hub: Hub, civitai: CivitAI, control: Control) -> None:
    past = "2020-01-01T00:00:00.000Z"
    hub.civitai.add(5, [Version(51, files=(FULL,), early_access_until=past)])
    assert not civitai.resolve(ref("5"), control).gated


def test_an_archived_model_is_gone_and_its_page_is_named(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(51, files=(FULL,), archived=True)], mode="Archived")
    with pytest.raises(NotFound, match="has archived it") as refusal:
        civitai.resolve(ref("5"), control)
    assert refusal.value.visit == f"{hub.civitai_endpoint}/models/5"


def test_a_model_that_was_taken_down_is_not_found(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(51, files=(FULL,))], mode="TakenDown")
    with pytest.raises(NotFound):
        civitai.resolve(ref("", "51"), control)


def test_a_version_for_the_site_only_is_not_tried(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(51, files=(FULL,))])
    rewrite(hub, lambda model: model["modelVersions"][0].update(usageControl="Generation"))
    with pytest.raises(AccessNeeded, match="on CivitAI only") as refusal:
        civitai.resolve(ref("5"), control)
    assert refusal.value.visit == f"{hub.civitai_endpoint}/models/5"


def test_a_version_that_is_not_published_is_passed_over(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(52, files=(FULL,)), Version(51, files=(FULL,))])
    rewrite(hub, lambda model: model["modelVersions"][0].update(status="Draft"))
    assert civitai.resolve(ref("5"), control).commit == "51"


def test_a_file_of_another_version_is_fetched_from_there(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(51, files=(FULL,))])
    rewrite(hub, lambda model: model["modelVersions"][0]["files"][0].update(modelVersionId=49))
    resolved = civitai.resolve(ref("5"), control)
    assert civitai.locate(resolved, only(resolved)).url.endswith("/models/49?fileId=11")


@pytest.mark.parametrize(
    "change",
    [
        {"modelVersions": "none"},
        {"modelVersions": [5]},
        {"modelVersions": [{"id": 2**31}]},
        {"modelVersions": [{"id": 51, "files": {}}]},
        {"modelVersions": [{"id": 51, "files": [None]}]},
        {"modelVersions": [{"id": 51, "modelId": "x"}]},
        {"id": "5"},
    ],
)
def test_a_model_of_another_shape_is_an_error(
    hub: Hub, civitai: CivitAI, control: Control, change: dict[str, object]
) -> None:
    hub.civitai.add(5, [Version(51, files=(FULL,))])
    rewrite(hub, lambda model: model.update(change))
    with pytest.raises(ProtocolViolation, match="did not answer as CivitAI does"):
        civitai.resolve(ref("5"), control)


@pytest.mark.parametrize(
    "change",
    [
        {"sizeKB": "many"},
        {"sizeKB": -1},
        {"sizeKB": 1e300},
        {"metadata": None, "hashes": None},
        {"metadata": [], "hashes": "none", "name": None, "type": None},
    ],
)
def test_what_a_file_does_not_tell_is_unknown(
    hub: Hub, civitai: CivitAI, control: Control, change: dict[str, object]
) -> None:
    hub.civitai.add(5, [Version(51, files=(FULL,))])
    rewrite(hub, lambda model: model["modelVersions"][0]["files"][0].update(change))
    file = only(civitai.resolve(ref("5"), control))
    assert file.key == "11"
    assert (file.size is None) == ("sizeKB" in change)


def test_a_model_without_versions_is_gone(hub: Hub, civitai: CivitAI, control: Control) -> None:
    hub.civitai.add(5, [])
    with pytest.raises(NotFound, match="no published files"):
        civitai.resolve(ref("5"), control)
