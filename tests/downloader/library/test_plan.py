"""Plans: which files are chosen, why others are not, where they will lie, what is to be fetched."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.checksums import Digest
from downloader.library.errors import NothingSelected, Refused, UnsafeName
from downloader.library.plan import make
from downloader.library.safety import Policy
from tests.downloader.library.planning import COMMIT, SDXL, file, paths, plan, reasons, resolved

pytestmark = pytest.mark.pure


# What is not taken


def test_weights_that_are_all_left_out_are_no_model() -> None:
    with pytest.raises(
        NothingSelected, match=r"No weights are left to install: 'model\.bin' is a pick"
    ):
        plan(["config.json", "README.md", "model.bin"])


def test_what_is_asked_for_may_be_without_weights() -> None:
    assert paths(plan(["config.json", "model.bin"], "*.json")) == ["config.json"]


def test_a_selected_pickle_is_not_taken_either() -> None:
    with pytest.raises(
        NothingSelected, match=r"There is nothing to install: 'model\.bin' is a pickle"
    ):
        plan(["config.json", "model.bin"], "model.bin")


def test_a_source_without_files_says_so() -> None:
    with pytest.raises(NothingSelected, match="lists no files"):
        plan([])


HOSTILE = ["../x.json", "/x.json", "a\\x.json", "a\0.json", "-rf.json", "model.json", "a\n.json"]


def test_files_with_unsafe_names_are_left_out_with_the_reason() -> None:
    made = plan([*HOSTILE, "good.safetensors"])

    assert paths(made) == ["good.safetensors"]
    assert set(reasons(made)) == set(HOSTILE)
    assert all("unsafe name" in why and why.isprintable() for why in reasons(made).values())


def test_a_selected_file_with_an_unsafe_name_is_refused() -> None:
    with pytest.raises(NothingSelected, match="has an unsafe name") as refused:
        plan(["../x.json", "y.json"], "../x.json")

    assert refused.value.message.isprintable()


def test_files_that_collide_are_refused_together_and_taken_alone() -> None:
    files = ["Model.safetensors", "model.safetensors"]

    with pytest.raises(UnsafeName, match="differ only in case"):
        plan(files)
    assert paths(plan(files, "model.safetensors")) == ["model.safetensors"]


def test_a_path_is_installed_composed() -> None:
    made = plan(["u\u0308.safetensors"])

    assert paths(made) == ["ü.safetensors"]
    assert made.files[0].file.path == "u\u0308.safetensors"


def test_a_file_over_the_limit_stops_the_plan() -> None:
    policy = Policy(max_file_bytes=100)

    with pytest.raises(Refused, match=r"'b\.safetensors' has 101 bytes, and at most 100"):
        plan([file("a.safetensors", 100), file("b.safetensors", 101)], policy=policy)


def test_too_many_files_stop_the_plan() -> None:
    with pytest.raises(Refused, match="3 files are selected, and at most 2"):
        plan(["a.json", "b.json", "c.json"], policy=Policy(max_files=2))


# Names and sums


def test_the_folder_is_made_of_kind_name_and_version() -> None:
    made = plan(["a.safetensors"], kind_hint="lora", name="My LoRA")

    assert made.folder == PurePosixPath("lora", f"My-LoRA@{COMMIT[:12]}")
    assert (made.kind, made.name, made.version) == ("lora", "My-LoRA", COMMIT[:12])


def test_what_is_asked_for_goes_before_what_the_source_suggests() -> None:
    made = make(
        resolved(["a.safetensors"], kind_hint="lora"),
        policy=Policy(),
        present=lambda _file: None,
        kind="vae",
        name="mine",
        version="2",
    )

    assert made.folder == PurePosixPath("vae/mine@2")


def test_a_layout_of_sdxl_is_recognised() -> None:
    assert plan(SDXL).kind == "sdxl-diffusers"


def test_whether_a_person_named_the_kind_is_kept() -> None:
    assert plan(["a.safetensors"], kind="vae").kind_given
    assert not plan(["a.safetensors"], kind_hint="vae").kind_given


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Refused, match="'x' is not a kind of model; it is one of sdxl-checkpoint"):
        plan(["a.safetensors"], kind="x")


@pytest.mark.parametrize("name", ["../x", "a/b", "con"])
def test_an_unsafe_model_name_is_refused(name: str) -> None:
    with pytest.raises(UnsafeName):
        plan(["a.safetensors"], name=name)
    with pytest.raises(UnsafeName):
        plan(["a.safetensors"], version=name)


def test_what_is_here_already_is_not_fetched() -> None:
    made = plan(
        [file("a.safetensors", 5), file("b.json", 7), file("c.json", None)], here=["b.json"]
    )

    assert (made.bytes_total, made.bytes_needed) == (12, 5)
    assert [it.present for it in made.files] == [False, True, False]
    assert [it.blob_sha256 for it in made.files] == [None, "f" * 64, None]


def test_only_chosen_files_are_looked_for_in_the_store() -> None:
    asked: list[str] = []

    make(
        resolved(["a.safetensors", "b.bin"]),
        policy=Policy(),
        present=lambda it: asked.append(it.path),
    )

    assert asked == ["a.safetensors"]


def test_a_warning_is_told_once_with_the_files_it_is_about() -> None:
    files = [file(f"{number}.json", warnings=("No digest.",)) for number in range(7)]
    bad = file(
        "x.safetensors", warnings=("The scan says Danger.",), digest=Digest("crc32", "0" * 8)
    )

    assert plan([*files, bad]).warnings == (
        "0.json, 1.json, 2.json, 3.json, 4.json and 2 more: No digest.",
        "x.safetensors: The scan says Danger.",
    )


@given(st.lists(st.sampled_from(SDXL + HOSTILE), unique=True), st.booleans())
def test_every_file_is_either_planned_or_left_out_with_a_reason(
    listed: list[str], allow_pickle: bool
) -> None:
    try:
        made = plan(listed, policy=Policy(allow_pickle=allow_pickle))
    except NothingSelected:
        made = plan(["x.safetensors"])
        listed = ["x.safetensors"]

    assert sorted([*paths(made), *reasons(made)]) == sorted(listed)


def test_a_file_that_failed_its_sources_scan_is_left_out_unless_allowed() -> None:
    bad = file("bad.safetensors", facts={"scan": "failed"})
    made = plan(["good.safetensors", bad])
    assert paths(made) == ["good.safetensors"]
    assert reasons(made) == {"bad.safetensors": "did not pass its source's own scan"}
    assert paths(plan([bad], policy=Policy(allow_failed_scan=True))) == ["bad.safetensors"]
