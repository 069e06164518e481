"""The files of a CivitAI version: their facts, names and digests, and how they are selected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from downloader.library.checksums import Digest
from downloader.library.errors import (
    NothingSelected,
)
from downloader.library.refs import Ref
from downloader.library.sources.civitai import CivitAI
from downloader.library.watch import Control
from tests.downloader.library.sources.civitai_told import (
    FILES,
    FULL,
    PRUNED,
    VAE,
    by_path,
    only,
    ref,
)
from tests.hubs import Hub
from tests.hubs.civitai import Version

pytestmark = pytest.mark.pure


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
