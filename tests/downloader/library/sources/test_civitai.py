"""What a CivitAI reference means: model or version, and what is known of it."""

from __future__ import annotations

import pytest

from downloader.library.errors import (
    InvalidRef,
    NotFound,
)
from downloader.library.refs import Ref
from downloader.library.sources.civitai import CivitAI
from downloader.library.watch import Control
from tests.downloader.library.sources.civitai_told import FULL, ref
from tests.hubs import Hub
from tests.hubs.civitai import Version

pytestmark = pytest.mark.pure


@pytest.mark.usefixtures("two_versions")
def test_a_bare_number_is_tried_as_a_model_first_and_its_newest_version_taken(
    civitai: CivitAI, control: Control
) -> None:
    resolved = civitai.resolve(ref("5"), control)
    assert (resolved.repo_id, resolved.commit) == ("5", "51")
    assert resolved.notes == ("5 is a model; its version 51 is taken.",)


@pytest.mark.usefixtures("two_versions")
def test_a_bare_number_that_is_no_model_is_tried_as_a_version_and_the_answer_says_so(
    civitai: CivitAI, control: Control
) -> None:
    resolved = civitai.resolve(ref("50"), control)
    assert (resolved.repo_id, resolved.commit) == ("5", "50")
    assert resolved.notes == ("50 is a version, of model 5.",)


def test_a_number_that_is_both_is_the_model(hub: Hub, civitai: CivitAI, control: Control) -> None:
    hub.civitai.add(5, [Version(60, files=(FULL,))])
    hub.civitai.add(6, [Version(5, files=(FULL,))])
    assert civitai.resolve(ref("5"), control).commit == "60"
    assert civitai.resolve(ref("", "5"), control).repo_id == "6"


def test_a_number_that_is_neither_is_not_found(civitai: CivitAI, control: Control) -> None:
    with pytest.raises(NotFound, match="neither a model nor a version 77"):
        civitai.resolve(ref("77"), control)


@pytest.mark.usefixtures("two_versions")
def test_a_version_is_picked_by_its_id(civitai: CivitAI, control: Control) -> None:
    resolved = civitai.resolve(ref("5", "50"), control)
    assert resolved.commit == "50"
    assert resolved.revision == "50"
    assert resolved.notes == ()


@pytest.mark.usefixtures("two_versions")
def test_a_version_alone_finds_its_model(civitai: CivitAI, control: Control) -> None:
    resolved = civitai.resolve(ref("", "50"), control)
    assert (resolved.repo_id, resolved.commit) == ("5", "50")


@pytest.mark.usefixtures("two_versions")
def test_a_version_of_another_model_is_named_with_its_own(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(7, [Version(70, files=(FULL,))])
    with pytest.raises(NotFound, match="civitai:7@70"):
        civitai.resolve(ref("5", "70"), control)


@pytest.mark.usefixtures("two_versions")
def test_a_slug_is_searched_for_and_must_fit_whole(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(8, [Version(80, files=(FULL,))], name="Real Vision")
    hub.civitai.add(9, [Version(90, files=(FULL,))], name="Real Vision Inpainting")
    assert civitai.resolve(ref("real-vision"), control).repo_id == "8"
    assert civitai.resolve(ref("Real-Vision", "80"), control).commit == "80"
    assert not [entry for entry in hub.requests if "page=" in entry.target]


def test_a_slug_that_two_models_share_lists_them(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(8, [Version(80, files=(FULL,))], name="Real Vision")
    hub.civitai.add(9, [Version(90, files=(FULL,))], name="real vision")
    with pytest.raises(InvalidRef, match="civitai:8, civitai:9"):
        civitai.resolve(ref("real-vision"), control)


def test_a_slug_nobody_has_is_not_found(civitai: CivitAI, control: Control) -> None:
    with pytest.raises(NotFound, match="'no-such-thing'"):
        civitai.resolve(ref("no-such-thing"), control)


@pytest.mark.parametrize("number", ["0", "2147483648", "99999999999999999999", "٣"])
def test_a_number_that_is_no_id_is_refused_before_anybody_is_asked(
    hub: Hub, civitai: CivitAI, control: Control, number: str
) -> None:
    with pytest.raises(InvalidRef, match="is not a model or version id"):
        civitai.resolve(ref(number), control)
    assert len(hub.requests) == 0


@pytest.mark.parametrize("version", ["0", "2147483648", "main", "-1", "5x"])
def test_a_version_that_is_no_id_is_refused_before_anybody_is_asked(
    hub: Hub, civitai: CivitAI, control: Control, version: str
) -> None:
    with pytest.raises(InvalidRef, match="is not a version id"):
        civitai.resolve(ref("5", version), control)
    assert len(hub.requests) == 0


def test_nothing_at_all_is_refused(hub: Hub, civitai: CivitAI, control: Control) -> None:
    with pytest.raises(InvalidRef, match="Name a model or a version"):
        civitai.resolve(ref(""), control)
    assert len(hub.requests) == 0


# What is known of it


@pytest.mark.usefixtures("two_versions")
def test_the_model_is_described_for_people_and_for_the_registry(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    resolved = civitai.resolve(ref("5"), control)
    assert resolved.title == "Über Model XL! v2.0"
    assert resolved.author == "painter"
    assert resolved.name == "ber-model-xl"
    assert resolved.version == "v2-0"
    assert resolved.page == f"{hub.civitai_endpoint}/models/5"
    assert resolved.kind_hint == "sdxl-checkpoint"
    assert resolved.metadata["trigger_words"] == ["sks", "style"]
    assert resolved.metadata["base_model"] == "SDXL 1.0"
    assert resolved.metadata["permissions"]["allowCommercialUse"] == ["Image"]
    assert resolved.licence == (
        "commercial use: Image; no credit required; derivatives allowed; "
        "same licence for derivatives"
    )


@pytest.mark.parametrize(
    ("model_type", "base", "kind"),
    [
        ("Checkpoint", "SDXL 1.0", "sdxl-checkpoint"),
        ("Checkpoint", "SDXL Turbo", "sdxl-checkpoint"),
        ("Checkpoint", "Pony", "sdxl-checkpoint"),
        ("Checkpoint", "Pony V7", "other"),
        ("Checkpoint", "Illustrious", "sdxl-checkpoint"),
        ("Checkpoint", "NoobAI", "sdxl-checkpoint"),
        ("Checkpoint", "SD 1.5", "other"),
        ("Checkpoint", "Flux.1 D", "other"),
        ("LORA", "SDXL 1.0", "lora"),
        ("LoCon", "SD 1.5", "lora"),
        ("DoRA", "SDXL 1.0", "lora"),
        ("VAE", "SDXL 1.0", "vae"),
        ("TextualInversion", "SDXL 1.0", "embedding"),
        ("Upscaler", "Other", "upscaler"),
        ("Workflows", "Other", "other"),
    ],
)
def test_the_kind_is_told_by_type_and_base_model(
    hub: Hub, civitai: CivitAI, control: Control, model_type: str, base: str, kind: str
) -> None:
    hub.civitai.add(5, [Version(51, files=(FULL,), base_model=base)], type=model_type)
    assert civitai.resolve(ref("5"), control).kind_hint == kind


@pytest.mark.usefixtures("two_versions")
def test_the_descriptor_says_where_it_is_from_and_holds_no_secret(
    hub: Hub, member: CivitAI, control: Control
) -> None:
    resolved = member.resolve(ref("5"), control)
    descriptor = member.to_model_descriptor(resolved)
    expected = {"source": "civitai", "model_id": "5", "version_id": "51", "commit": "51"}
    assert expected.items() <= dict(descriptor.provenance).items()
    assert descriptor.source_uri == str(Ref("civitai", "5", "51"))
    assert descriptor.kind == "sdxl-checkpoint"
    assert hub.civitai.token not in str(descriptor)
