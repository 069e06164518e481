"""Bytes through a source and the engine: right ones, and a way out where none are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from downloader.library import errors, refs
from downloader.library.checksums import Trust
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.sources.base import Resolved, Source
from downloader.library.sources.civitai import CivitAI
from downloader.library.sources.huggingface import HuggingFace
from downloader.library.transfer import Engine, Fetched, Target, TransferOptions
from downloader.library.watch import Control, Observer
from tests.hubs import Hub
from tests.hubs.civitai import File, Version

pytestmark = pytest.mark.pure

WEIGHTS = b"weights" * 50_000
LATER = "2999-01-01T00:00:00.000Z"


def fetch(source: Source, resolved: Resolved, into: Path) -> Mapping[str, Fetched]:
    targets = {
        file.path: Target(into / f"{number}.part") for number, file in enumerate(resolved.files)
    }
    engine = Engine(source.client, TransferOptions(attempts=2))
    return source.fetch(engine, resolved, targets, Control(), Observer())


def test_a_private_repository_arrives_whole_and_verified_and_no_token_strays(
    hub: Hub, reader: HuggingFace, control: Control, tmp_path: Path
) -> None:
    files = {"unet/a b.safetensors": WEIGHTS, "config.json": "{}", "vocab.txt": "x" * 10_000}
    hub.huggingface.add("author/repo", files, private=True)
    resolved = reader.resolve(Ref("hf", "author/repo"), control)
    fetched = fetch(reader, resolved, tmp_path)
    trust = {file.path: reader.verify(file, fetched[file.path].computed) for file in resolved.files}
    assert trust == dict.fromkeys(files, Trust.VERIFIED)
    assert fetched["unet/a b.safetensors"].part.read_bytes() == WEIGHTS
    assert hub.requests.of(origin="cdn")
    assert hub.leaks == []


def test_a_renamed_repository_is_fetched_from_its_new_place(
    hub: Hub, reader: HuggingFace, control: Control, tmp_path: Path
) -> None:
    hub.huggingface.add("after/repo", {"a.safetensors": WEIGHTS}, private=True)
    hub.huggingface.rename("before", "after/repo")
    resolved = reader.resolve(Ref("hf", "before"), control)
    hub.requests.clear()
    assert fetch(reader, resolved, tmp_path)["a.safetensors"].part.read_bytes() == WEIGHTS
    assert not hub.requests.of("*before*")


def test_a_branch_that_moves_does_not_change_what_was_resolved(
    hub: Hub, huggingface: HuggingFace, control: Control, tmp_path: Path
) -> None:
    repository = hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS})
    resolved = huggingface.resolve(Ref("hf", "author/repo"), control)
    repository.commit({"a.safetensors": b"other"})
    assert fetch(huggingface, resolved, tmp_path)["a.safetensors"].part.read_bytes() == WEIGHTS


@pytest.mark.parametrize("has_token", [False, True])
def test_a_gated_file_says_where_to_accept_the_terms(
    hub: Hub, client: Client, control: Control, tmp_path: Path, has_token: bool
) -> None:
    hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS}, gated="auto")
    token = hub.huggingface.stranger_token if has_token else ""
    source = HuggingFace(client, {"endpoint": hub.huggingface.endpoint, "token": token})
    resolved = source.resolve(Ref("hf", "author/repo"), control)
    with pytest.raises(errors.AccessNeeded, match="author/repo is gated") as refusal:
        fetch(source, resolved, tmp_path)
    assert refusal.value.visit == f"{hub.huggingface.endpoint}/author/repo"
    assert ("set HF_TOKEN" in refusal.value.message) != has_token
    assert hub.huggingface.stranger_token not in f"{refusal.value!r}{refusal.value.details}"


def test_the_right_file_of_a_version_arrives_verified_and_no_token_strays(
    hub: Hub, member: CivitAI, control: Control, tmp_path: Path
) -> None:
    twin = File("a.safetensors", b"pruned" * 1000, size="pruned")
    hub.civitai.add(5, [Version(51, files=(File("a.safetensors", WEIGHTS), twin), login=True)])
    resolved = member.resolve(Ref("civitai", "5"), control)
    fetched = fetch(member, resolved, tmp_path)
    trust = [member.verify(file, fetched[file.path].computed) for file in resolved.files]
    assert trust == [Trust.VERIFIED, Trust.VERIFIED]
    assert fetched["a.safetensors"].part.read_bytes() == WEIGHTS
    assert hub.requests.of(origin="cdn")
    assert hub.leaks == []


def test_a_file_for_members_asks_for_a_token(
    hub: Hub, civitai: CivitAI, control: Control, tmp_path: Path
) -> None:
    hub.civitai.add(5, [Version(51, files=(File("a.safetensors", WEIGHTS),), login=True)])
    resolved = civitai.resolve(Ref("civitai", "5"), control)
    with pytest.raises(errors.AccessNeeded, match="set CIVITAI_TOKEN") as refusal:
        fetch(civitai, resolved, tmp_path)
    assert refusal.value.visit == f"{hub.civitai_endpoint}/models/5"


def test_early_access_that_was_not_bought_says_until_when(
    hub: Hub, member: CivitAI, control: Control, tmp_path: Path
) -> None:
    early = Version(51, files=(File("a.safetensors", WEIGHTS),), early_access_until=LATER)
    hub.civitai.add(5, [early])
    resolved = member.resolve(Ref("civitai", "5"), control)
    with pytest.raises(errors.AccessNeeded, match=f"until {LATER}") as refusal:
        fetch(member, resolved, tmp_path)
    assert refusal.value.visit == f"{hub.civitai_endpoint}/models/5"
    assert hub.civitai.token not in f"{refusal.value!r}{refusal.value.details}"


def test_downloads_that_the_author_switched_off_say_so(
    hub: Hub, member: CivitAI, control: Control, tmp_path: Path
) -> None:
    hub.civitai.add(5, [Version(51, files=(File("a.safetensors", WEIGHTS),), disabled=True)])
    resolved = member.resolve(Ref("civitai", "5"), control)
    with pytest.raises(errors.AccessNeeded, match="switched downloads off") as refusal:
        fetch(member, resolved, tmp_path)
    assert refusal.value.visit == f"{hub.civitai_endpoint}/models/5"


def test_a_listed_file_that_is_not_given_out_names_the_page(
    hub: Hub, member: CivitAI, control: Control, tmp_path: Path
) -> None:
    hub.civitai.add(5, [Version(51, files=(File("a.safetensors", WEIGHTS, listed_only=True),))])
    resolved = member.resolve(Ref("civitai", "5"), control)
    with pytest.raises(errors.NotFound, match="is not given out") as refusal:
        fetch(member, resolved, tmp_path)
    assert refusal.value.visit == f"{hub.civitai_endpoint}/models/5"


# What was resolved can be asked for again


@pytest.mark.parametrize("path", ["a.safetensors", "odd, name#1@2%.safetensors", "d/*.json"])
def test_the_pinned_reference_means_the_same_when_it_is_read_again(
    hub: Hub, huggingface: HuggingFace, control: Control, path: str
) -> None:
    hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS})
    resolved = huggingface.resolve(Ref("hf", "author/repo", "main", (path,)), control)
    again = refs.parse(resolved.source_uri)
    assert again == Ref("hf", "author/repo", resolved.commit, (path,))
    assert huggingface.resolve(again, control).source_uri == resolved.source_uri


@pytest.mark.parametrize("selection", [(), ("fp16",), ("VAE", "*.yaml")])
def test_the_pinned_version_means_the_same_when_it_is_read_again(
    hub: Hub, civitai: CivitAI, control: Control, selection: tuple[str, ...]
) -> None:
    vae = File("v.safetensors", WEIGHTS, type="VAE")
    hub.civitai.add(5, [Version(51, files=(File("a.safetensors", WEIGHTS), vae))])
    resolved = civitai.resolve(Ref("civitai", "5", None, selection), control)
    again = refs.parse(resolved.source_uri)
    assert again == resolved.ref
    assert civitai.resolve(again, control).source_uri == resolved.source_uri
