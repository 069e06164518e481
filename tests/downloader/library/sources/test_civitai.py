"""What a CivitAI reference means: model or version, which file, under which name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from downloader.library.checksums import Digest
from downloader.library.errors import (
    AccessNeeded,
    InvalidRef,
    NotFound,
    NothingSelected,
    ProtocolViolation,
)
from downloader.library.refs import Ref
from downloader.library.sources.base import RemoteFile, Resolved
from downloader.library.sources.civitai import CivitAI
from downloader.library.watch import Control
from tests.hubs import Hub, InMemory, faults
from tests.hubs.civitai import File, Version
from tests.hubs.messages import Response

pytestmark = pytest.mark.pure

FULL = File("full.safetensors", b"full" * 100, id=11)
PRUNED = File("pruned.safetensors", b"pruned" * 100, size="pruned", id=12)
FULL_32 = File("full32.safetensors", b"full32" * 100, fp="fp32", id=13)
VAE = File("vae.safetensors", b"vae" * 100, type="VAE", fp=None, size=None, id=14)
FILES = (FULL, PRUNED, FULL_32, VAE)


def ref(target: str, version: str | None = None, *selection: str) -> Ref:
    return Ref("civitai", target, version, selection)


def by_path(resolved: Resolved) -> dict[str, RemoteFile]:
    return {file.path: file for file in resolved.files}


def only(resolved: Resolved) -> RemoteFile:
    (file,) = resolved.files
    return file


def rewrite(hub: Hub, change: Callable[[Any], object]) -> None:
    """CivitAI tells the same, but for this."""

    def told(response: Response) -> Response:
        model = json.loads(response.content.read())
        change(model)
        return replace(response, content=InMemory(json.dumps(model).encode()))

    hub.faults.add(faults.Changed(told), "/api/v1/models/*")


@pytest.fixture
def two_versions(hub: Hub) -> None:
    """Model 5 with the versions 51 (newer) and 50."""
    hub.civitai.add(
        5,
        [Version(51, "v2.0", FILES, words=("sks", "style")), Version(50, "v1.0", (FULL,))],
        name="Über Model XL!",
        creator="painter",
        tags=("photo",),
    )


# Which model, which version


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


# Files


@pytest.mark.usefixtures("two_versions")
def test_every_file_is_listed_with_its_facts_and_one_is_primary(
    civitai: CivitAI, control: Control
) -> None:
    files = by_path(civitai.resolve(ref("5"), control))
    assert list(files) == [file.name for file in FILES]
    assert files["full.safetensors"].key == "11"
    assert files["full.safetensors"].size == FULL.content.size
    assert files["full.safetensors"].digest == Digest("sha256", FULL.content.sha256)
    facts = files["full.safetensors"].facts
    assert facts["type"] == "Model"
    assert facts["format"] == "SafeTensor"
    assert facts["precision"] == "fp16"
    assert facts["size"] == "full"
    assert facts["scan"] == "passed"
    assert [path for path, file in files.items() if "primary" in file.facts] == ["full.safetensors"]
    assert files["vae.safetensors"].facts["type"] == "VAE"


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("fp16", ["11", "12"]),
        ("FP32", ["13"]),
        ("pruned", ["12"]),
        ("VAE", ["14"]),
        ("type=VAE", ["14"]),
        ("fp=fp32", ["13"]),
        ("precision=fp32", ["13"]),
        ("fp16+full", ["11"]),
        ("size=pruned+fp=fp16", ["12"]),
        ("format=safetensor", ["11", "12", "13", "14"]),
        ("12", ["12"]),
        ("full.safetensors", ["full.safetensors"]),
        ("*.safetensors", ["*.safetensors"]),
    ],
)
@pytest.mark.usefixtures("two_versions")
def test_a_selector_by_fact_is_pinned_to_ids_and_other_patterns_stay(
    civitai: CivitAI, control: Control, selector: str, ids: list[str]
) -> None:
    resolved = civitai.resolve(ref("5", None, selector), control)
    assert list(resolved.ref.selection) == ids
    assert resolved.source_uri == str(Ref("civitai", "5", "51", tuple(ids)))


@pytest.mark.usefixtures("two_versions")
def test_several_selectors_add_up_and_repeat_nothing(civitai: CivitAI, control: Control) -> None:
    resolved = civitai.resolve(ref("5", None, "fp16", "VAE", "pruned"), control)
    assert resolved.ref.selection == ("11", "12", "14")


@pytest.mark.usefixtures("two_versions")
def test_a_fact_no_file_has_lists_the_files_there_are(civitai: CivitAI, control: Control) -> None:
    with pytest.raises(NothingSelected, match="fp=bf16") as refusal:
        civitai.resolve(ref("5", None, "fp=bf16"), control)
    assert "13  type=Model format=SafeTensor precision=fp32 size=full" in refusal.value.message


def test_files_of_one_name_get_names_of_their_own(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    twins = (replace(PRUNED, name="Model.safetensors"), replace(FULL, name="model.safetensors"))
    hub.civitai.add(5, [Version(51, files=(*twins, VAE))])
    files = by_path(civitai.resolve(ref("5"), control))
    assert {path: file.key for path, file in files.items()} == {
        "Model.safetensors": "12",
        "model-11.safetensors": "11",
        "vae.safetensors": "14",
    }


def test_a_file_without_a_name_is_called_by_its_id(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(51, files=(replace(FULL, name=""),))])
    assert only(civitai.resolve(ref("5"), control)).path == "file-11.safetensors"


def test_a_hostile_name_is_handed_on_as_it_is_to_be_judged(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(51, files=(replace(FULL, name="../../etc/passwd"),))])
    assert only(civitai.resolve(ref("5"), control)).path == "../../etc/passwd"


@pytest.mark.parametrize(
    ("published", "digest"),
    [
        (("SHA256", "BLAKE3", "AutoV2", "CRC32"), "sha256"),
        (("BLAKE3", "AutoV2", "CRC32"), "blake3"),
        (("AutoV2", "CRC32"), "autov2"),
        (("CRC32",), "crc32"),
    ],
)
def test_the_strongest_published_hash_is_taken(
    hub: Hub, civitai: CivitAI, control: Control, published: tuple[str, ...], digest: str
) -> None:
    hashes = {name: FULL.true_hashes[name] for name in published}
    hub.civitai.add(5, [Version(51, files=(replace(FULL, hashes=hashes),))])
    file = only(civitai.resolve(ref("5"), control))
    assert file.digest == Digest(digest, hashes[published[0]].lower())
    assert bool(file.warnings) == (digest in ("autov2", "crc32"))


@pytest.mark.parametrize("hashes", [{}, {"SHA256": "not hex"}, {"SHA256": "AB12"}])
def test_a_missing_or_broken_hash_is_no_digest_and_a_warning(
    hub: Hub, civitai: CivitAI, control: Control, hashes: dict[str, str]
) -> None:
    hub.civitai.add(5, [Version(51, files=(replace(FULL, hashes=hashes),))])
    file = only(civitai.resolve(ref("5"), control))
    assert file.digest is None
    assert "publishes no hash" in file.warnings[0]


def test_a_rounded_size_is_not_taken_for_the_size(
    hub: Hub, civitai: CivitAI, control: Control
) -> None:
    hub.civitai.add(5, [Version(51, files=(replace(FULL, size_kb=2082642.47),))])
    assert only(civitai.resolve(ref("5"), control)).size is None


@pytest.mark.parametrize(
    ("pickle", "virus", "scan", "words"),
    [
        ("Success", "Success", "passed", []),
        ("Danger", "Success", "failed", ["pickle scan", "Danger"]),
        ("Success", "Error", "failed", ["virus scan", "Error"]),
        ("Pending", "Success", "pending", ["not scanned"]),
    ],
)
def test_scan_results_become_facts_and_warnings(
    hub: Hub,
    civitai: CivitAI,
    control: Control,
    pickle: str,
    virus: str,
    scan: str,
    words: list[str],
) -> None:
    scanned = replace(FULL, pickle_scan=pickle, virus_scan=virus)
    hub.civitai.add(5, [Version(51, files=(scanned,))])
    file = only(civitai.resolve(ref("5"), control))
    assert file.facts["scan"] == scan
    assert len(file.warnings) == bool(words)
    assert all(word in " ".join(file.warnings) for word in words)


@pytest.mark.usefixtures("two_versions")
def test_a_file_is_fetched_by_its_id_with_the_token_in_a_header_only(
    hub: Hub, member: CivitAI, control: Control
) -> None:
    resolved = member.resolve(ref("5"), control)
    located = member.locate(resolved, by_path(resolved)["pruned.safetensors"])
    assert located.url == f"{hub.civitai_endpoint}/api/download/models/51?fileId=12"
    assert located.authorization == f"Bearer {hub.civitai.token}"
    assert hub.civitai.token not in f"{located}{located.url}"
    assert not [entry for entry in hub.requests if hub.civitai.token in entry.target]


# What cannot be had


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
