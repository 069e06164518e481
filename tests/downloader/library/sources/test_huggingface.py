"""What a Hugging Face repository is, asked of a hub that huggingface_hub's own client trusts."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from downloader.library.checksums import Digest
from downloader.library.errors import AccessNeeded, InvalidRef, NotFound
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.sources.base import RemoteFile, Resolved
from downloader.library.sources.huggingface import HuggingFace
from downloader.library.watch import Control
from tests import hubs
from tests.hubs import Hub

pytestmark = pytest.mark.pure

WEIGHTS = b"weights" * 1000
CONFIG = '{"a": 1}'


def ref(target: str, revision: str | None = None, *selection: str) -> Ref:
    return Ref("hf", target, revision, selection)


def by_path(resolved: Resolved) -> dict[str, RemoteFile]:
    return {file.path: file for file in resolved.files}


def test_a_branch_is_pinned_to_its_commit(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    repository = hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS})
    resolved = huggingface.resolve(ref("author/repo"), control)
    assert resolved.commit == repository.branches["main"]
    assert resolved.revision == "main"
    assert resolved.version == resolved.commit[:12]
    assert resolved.name == "repo"
    assert resolved.author == "author"
    assert resolved.page == f"{hub.huggingface.endpoint}/author/repo"


def test_files_are_listed_at_the_commit_and_not_at_the_branch_that_moves(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    repository = hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS})
    resolved = huggingface.resolve(ref("author/repo"), control)
    asked = hub.requests.of("*/tree/*", origin="huggingface")
    assert [entry.path for entry in asked] == [
        f"/api/models/author/repo/tree/{repository.branches['main']}"
    ]
    repository.commit({"a.safetensors": b"other"})
    located = huggingface.locate(resolved, resolved.files[0])
    assert f"/resolve/{resolved.commit}/a.safetensors" in located.url


def test_large_files_have_their_sha256_and_small_ones_the_name_git_gives_them(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS, "config.json": CONFIG})
    files = by_path(huggingface.resolve(ref("author/repo"), control))
    weights, config = hubs.InMemory(WEIGHTS), hubs.InMemory(CONFIG.encode())
    assert files["a.safetensors"].digest == Digest("sha256", weights.sha256)
    assert files["a.safetensors"].size == len(WEIGHTS)
    assert files["config.json"].digest == Digest("git-sha1", config.git_sha1)
    assert files["config.json"].size == len(CONFIG)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("unet/model.safetensors", "model"),
        ("unet/config.json", "config"),
        ("tokenizer/vocab.json", "tokenizer"),
        ("model.safetensors.index.json", "weights-index"),
        ("README.md", "doc"),
        ("LICENSE", "doc"),
        ("scripts/run.py", "other"),
    ],
)
def test_a_file_says_what_it_is_for(
    hub: Hub, huggingface: HuggingFace, control: Control, path: str, kind: str
) -> None:
    hub.huggingface.add("author/repo", {path: "x"})
    assert by_path(huggingface.resolve(ref("author/repo"), control))[path].type == kind


def test_ten_thousand_files_are_all_listed_in_as_many_pages_as_it_takes(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {f"shard/{n:05}.json": "{}" for n in range(10_000)})
    resolved = huggingface.resolve(ref("author/repo"), control)
    assert len({file.path for file in resolved.files}) == 10_000
    assert all(file.digest for file in resolved.files)
    assert len(hub.requests.of("*/tree/*")) == 11  # the folder itself is a line, too


@pytest.mark.parametrize("revision", ["refs/pr/3", "feature/x", "v1.0", "odd name"])
def test_any_revision_git_can_name_is_found(
    hub: Hub, huggingface: HuggingFace, control: Control, revision: str
) -> None:
    repository = hub.huggingface.add(
        "author/repo",
        {"a.json": "{}"},
        branches={"feature/x": {"b.json": "{}"}, "odd name": {"c.json": "{}"}},
        tags=("v1.0",),
    )
    repository.pull_request(3, {"d.json": "{}"})
    resolved = huggingface.resolve(ref("author/repo", revision), control)
    assert resolved.commit == repository.resolve(revision)
    assert resolved.revision == revision


def test_a_commit_may_be_asked_for_itself(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    repository = hub.huggingface.add("author/repo", {"a.json": "{}"})
    first = repository.branches["main"]
    repository.commit({"b.json": "{}"})
    resolved = huggingface.resolve(ref("author/repo", first), control)
    assert resolved.commit == first
    assert list(by_path(resolved)) == ["a.json"]


def test_a_repository_without_an_owner_is_found(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("solo", {"a.json": "{}"})
    resolved = huggingface.resolve(ref("solo"), control)
    assert resolved.repo_id == "solo"
    assert resolved.author == ""
    assert huggingface.locate(resolved, resolved.files[0]).url == (
        f"{hub.huggingface.endpoint}/solo/resolve/{resolved.commit}/a.json"
    )


@pytest.mark.parametrize("old", ["before/repo", "one-word"])
def test_a_renamed_repository_is_found_under_its_new_name_and_says_so(
    hub: Hub, reader: HuggingFace, control: Control, old: str
) -> None:
    hub.huggingface.add("after/repo", {"a.json": "{}"}, private=True)
    hub.huggingface.rename(old, "after/repo")
    resolved = reader.resolve(ref(old), control)
    assert resolved.repo_id == "after/repo"
    assert resolved.notes == (f"{old} is called after/repo now.",)
    assert resolved.source_uri == str(Ref("hf", "after/repo", resolved.commit))


def test_the_pinned_reference_keeps_the_selection(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    resolved = huggingface.resolve(ref("author/repo", "main", "a.json"), control)
    assert resolved.source_uri == str(Ref("hf", "author/repo", resolved.commit, ("a.json",)))


def test_a_path_is_encoded_in_its_address(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    path = "odd folder/100% #1?.json"
    hub.huggingface.add("author/repo", {path: "{}"})
    resolved = huggingface.resolve(ref("author/repo"), control)
    located = huggingface.locate(resolved, resolved.files[0])
    assert located.url.endswith(f"/resolve/{resolved.commit}/{quote(path)}")


# Who may


def test_a_gated_repository_is_listed_and_says_where_to_ask(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS}, gated="manual")
    resolved = huggingface.resolve(ref("author/repo"), control)
    assert resolved.gated
    assert len(resolved.files) == 1
    assert f"{hub.huggingface.endpoint}/author/repo" in resolved.notes[0]
    assert "HF_TOKEN" in resolved.notes[0]


def test_a_private_repository_is_open_to_its_readers(
    hub: Hub, reader: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"}, private=True)
    assert reader.resolve(ref("author/repo"), control).private


def test_without_a_token_a_private_repository_asks_for_one(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"}, private=True)
    with pytest.raises(AccessNeeded, match="set HF_TOKEN") as refusal:
        huggingface.resolve(ref("author/repo"), control)
    assert refusal.value.visit == f"{hub.huggingface.endpoint}/author/repo"


def test_with_a_token_what_is_absent_is_not_found(
    hub: Hub, reader: HuggingFace, control: Control
) -> None:
    with pytest.raises(NotFound, match="no repository author/repo"):
        reader.resolve(ref("author/repo"), control)


def test_a_token_the_hub_does_not_know_is_to_be_made_anew(
    hub: Hub, reader: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    hub.huggingface.accounts.revoke(hub.huggingface.token)
    with pytest.raises(AccessNeeded, match="does not accept the token") as refusal:
        reader.resolve(ref("author/repo"), control)
    assert refusal.value.visit == f"{hub.huggingface.endpoint}/settings/tokens"


def test_a_disabled_repository_says_so(hub: Hub, reader: HuggingFace, control: Control) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"}, disabled=True)
    with pytest.raises(AccessNeeded, match="has disabled author/repo"):
        reader.resolve(ref("author/repo"), control)


def test_a_revision_that_is_not_there_is_named(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    with pytest.raises(NotFound, match="no revision 'v9'"):
        huggingface.resolve(ref("author/repo", "v9"), control)


@pytest.mark.parametrize("target", ["a/b/c", "../etc", "author/..", "", "author/re po", "x" * 200])
def test_what_is_no_repository_name_is_refused_before_anybody_is_asked(
    hub: Hub, huggingface: HuggingFace, control: Control, target: str
) -> None:
    with pytest.raises(InvalidRef):
        huggingface.resolve(ref(target), control)
    assert len(hub.requests) == 0


def test_the_token_goes_to_the_hub_and_only_as_a_header(
    hub: Hub, reader: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS}, private=True)
    resolved = reader.resolve(ref("author/repo"), control)
    located = reader.locate(resolved, resolved.files[0])
    assert located.authorization == f"Bearer {hub.huggingface.token}"
    assert hub.huggingface.token not in f"{located.url}{dict(located.headers)}{located}"
    asked = hub.requests.of(origin="huggingface")
    assert {entry.headers["authorization"] for entry in asked} == {located.authorization}
    assert not [entry.target for entry in asked if hub.huggingface.token in entry.target]


def test_the_token_in_the_users_home_is_not_used(
    hub: Hub, huggingface: HuggingFace, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_OfSomebodyElse")
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    huggingface.resolve(ref("author/repo"), control)
    assert not [entry for entry in hub.requests if "authorization" in entry.headers]


def test_the_hub_learns_who_asks_and_nothing_about_the_machine(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    huggingface.resolve(ref("author/repo"), control)
    agents = {entry.headers["user-agent"] for entry in hub.requests}
    assert len(agents) == 1
    agent = agents.pop()
    assert agent.partition("/")[0] == "dreamforge"
    assert "torch" not in agent
    assert "agent/" not in agent
    assert not hub.requests.of("*harness*")


# What the card says


def test_the_card_gives_the_licence_the_base_model_and_the_trigger_words(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    card = {
        "license": "openrail++",
        "base_model": "author/base",
        "instance_prompt": "a photo of sks",
    }
    hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS}, card=card, tags_shown=("lora",))
    resolved = huggingface.resolve(ref("author/repo"), control)
    assert resolved.licence == "openrail++"
    assert resolved.metadata["base_model"] == ["author/base"]
    assert resolved.metadata["trigger_words"] == ["a photo of sks"]
    assert resolved.kind_hint == "lora"


def test_a_licence_that_is_only_a_tag_counts(
    hub: Hub, huggingface: HuggingFace, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"}, tags_shown=("license:mit",))
    assert huggingface.resolve(ref("author/repo"), control).licence == "mit"


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("diffusers:StableDiffusionXLPipeline", "sdxl-diffusers"),
        ("diffusers:StableDiffusionXLImg2ImgPipeline", "sdxl-diffusers"),
        ("diffusers:StableDiffusionPipeline", None),
        ("textual_inversion", "embedding"),
    ],
)
def test_tags_hint_at_the_kind(
    hub: Hub, huggingface: HuggingFace, control: Control, tag: str, kind: str | None
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"}, tags_shown=(tag,))
    assert huggingface.resolve(ref("author/repo"), control).kind_hint == kind


def test_the_descriptor_says_where_it_is_from_and_holds_no_secret(
    hub: Hub, reader: HuggingFace, control: Control
) -> None:
    card = {"license": "mit"}
    hub.huggingface.add("author/repo", {"a.safetensors": WEIGHTS}, gated="auto", card=card)
    resolved = reader.resolve(ref("author/repo", "main"), control)
    descriptor = reader.to_model_descriptor(resolved)
    assert descriptor.source_uri == resolved.source_uri
    assert descriptor.name == "repo"
    assert descriptor.version == resolved.commit[:12]
    assert not descriptor.installed
    expected = {
        "source": "huggingface",
        "repo": "author/repo",
        "commit": resolved.commit,
        "revision": "main",
        "licence": "mit",
        "gated": True,
        "page": f"{hub.huggingface.endpoint}/author/repo",
    }
    assert expected.items() <= dict(descriptor.provenance).items()
    assert hub.huggingface.token not in str(descriptor)


# Browsing


def test_branches_and_tags_are_listed_with_their_commits(
    hub: Hub, huggingface: HuggingFace
) -> None:
    repository = hub.huggingface.add(
        "author/repo", {"a.json": "{}"}, branches={"dev": {"b.json": "{}"}}, tags=("v1",)
    )
    known = huggingface.refs("author/repo")
    assert dict(known.branches) == repository.branches
    assert dict(known.tags) == repository.tags


def test_a_tree_is_read_a_page_at_a_time(hub: Hub, huggingface: HuggingFace) -> None:
    hub.huggingface.add("author/repo", {f"d/{n}.json": "{}" for n in range(5)} | {"top.md": "x"})
    hub.huggingface.page_size = 3
    top = huggingface.tree("author/repo")
    assert [(entry.path, entry.is_folder) for entry in top.entries] == [
        ("d", True),
        ("top.md", False),
    ]
    assert top.next_cursor is None
    first = huggingface.tree("author/repo", "main", "d")
    assert [entry.path for entry in first.entries] == ["d/0.json", "d/1.json", "d/2.json"]
    second = huggingface.tree("author/repo", "main", "d", first.next_cursor)
    assert [entry.path for entry in second.entries] == ["d/3.json", "d/4.json"]
    assert second.next_cursor is None


def test_the_tree_of_a_branch_with_a_slash_is_read(hub: Hub, huggingface: HuggingFace) -> None:
    hub.huggingface.add("author/repo", {"d/a.json": "{}"}, branches={"x/y": {"d/b.json": "{}"}})
    page = huggingface.tree("author/repo", "x/y", "d")
    assert [entry.path for entry in page.entries] == ["d/a.json", "d/b.json"]
    assert "/tree/x%2Fy/d" in hub.requests[0].target


def test_a_folder_that_is_not_there_is_named(hub: Hub, huggingface: HuggingFace) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    with pytest.raises(NotFound, match="no 'missing' at 'main'"):
        huggingface.tree("author/repo", "main", "missing")


def test_two_hubs_with_two_tokens_do_not_mix(
    hub: Hub, huggingface: HuggingFace, reader: HuggingFace, client: Client, control: Control
) -> None:
    hub.huggingface.add("author/repo", {"a.json": "{}"})
    reader.resolve(ref("author/repo"), control)
    before = len(hub.requests)
    huggingface.resolve(ref("author/repo"), control)
    later = list(hub.requests)[before:]
    assert later
    assert not [entry for entry in later if "authorization" in entry.headers]
