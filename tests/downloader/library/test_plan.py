"""Plans: which files are chosen, why others are not, where they will lie, what is to be fetched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.checksums import Digest
from downloader.library.errors import NothingSelected, Refused, UnsafeName
from downloader.library.plan import Plan, make, select
from downloader.library.refs import parse
from downloader.library.safety import Policy
from downloader.library.sources.base import RemoteFile, Resolved
from downloader.library.sources.filetypes import type_of

pytestmark = pytest.mark.pure

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def file(path: str, size: int | None = 10, **more: Any) -> RemoteFile:
    more.setdefault("key", path)
    more.setdefault("type", type_of(path))
    return RemoteFile(path=path, size=size, **more)


def resolved(files: Iterable[str | RemoteFile], ref: str = "hf:a/b", **more: Any) -> Resolved:
    listed = tuple(file(it) if isinstance(it, str) else it for it in files)
    facts: dict[str, Any] = {"name": "b", "version": COMMIT[:12], "kind_hint": None} | more
    return Resolved(
        ref=parse(ref),
        source_uri=f"hf:a/b@{COMMIT}",
        repo_id="a/b",
        author="a",
        title="a/b",
        commit=COMMIT,
        files=listed,
        **facts,
    )


def plan(
    files: Iterable[str | RemoteFile],
    *patterns: str,
    policy: Policy | None = None,
    ref: str = "hf:a/b",
    here: Iterable[str] = (),
    **more: Any,
) -> Plan:
    asked = {name: more.pop(name) for name in ("kind", "name", "version") if name in more}
    present = set(here)
    return make(
        resolved(files, ref, **more),
        policy=policy or Policy(),
        present=lambda it: "f" * 64 if it.path in present else None,
        patterns=patterns,
        **asked,
    )


def paths(made: Plan) -> list[str]:
    return [it.path for it in made.files]


def reasons(made: Plan) -> dict[str, str]:
    return {it.path: why for it, why in made.skipped}


# Patterns

LISTED = [
    "model_index.json",
    "README.md",
    "unet/config.json",
    "unet/model.safetensors",
    "unet/deep/er/x.json",
    "vae/config.json",
    "a[1]*.json",
    "straße.txt",
]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], LISTED),
        (["unet/config.json"], ["unet/config.json"]),
        (["README.md", "model_index.json"], ["model_index.json", "README.md"]),
        (["README.md", "README.md", "READ*"], ["README.md"]),
        (["unet/"], ["unet/config.json", "unet/model.safetensors", "unet/deep/er/x.json"]),
        (["unet/deep"], ["unet/deep/er/x.json"]),
        (["model.safetensors"], ["unet/model.safetensors"]),
        (["*.safetensors"], ["unet/model.safetensors"]),
        (["unet/*.json"], ["unet/config.json"]),
        (["unet/**/*.json"], ["unet/config.json", "unet/deep/er/x.json"]),
        (["**/er/*"], ["unet/deep/er/x.json"]),
        (["**/*"], LISTED),
        (["**"], LISTED),
        (["u*t/"], ["unet/config.json", "unet/model.safetensors", "unet/deep/er/x.json"]),
        (["?net/config.json"], ["unet/config.json"]),
        (["[uv]*/config.json"], ["unet/config.json", "vae/config.json"]),
        (["a[1]*.json"], ["a[1]*.json"]),
        (["key of vae/config.json"], ["vae/config.json"]),
        (["strasse.txt", "straße.txt"], None),
        (["*.bin"], None),
        (["UNET/config.json"], None),
        (["../model_index.json"], None),
        (["unet/config.jso"], None),
    ],
)
def test_a_pattern_names_files(patterns: list[str], found: list[str] | None) -> None:
    files = [file(path, key=f"key of {path}") for path in LISTED]
    try:
        chosen: list[str] | None = [it.path for it in select(patterns, files)]
    except NothingSelected:
        chosen = None

    assert chosen == found


def test_a_reference_brings_its_own_patterns() -> None:
    files = [file("a.json"), file("b.json")]

    assert select(parse("hf:a/b#b.json"), files) == (files[1],)


def test_a_name_that_several_files_have_is_not_guessed() -> None:
    with pytest.raises(
        NothingSelected, match=r"2 files are called 'config\.json'; say which: 'unet"
    ):
        select(["config.json"], [file(path) for path in LISTED])


def test_a_wrong_name_is_answered_with_near_ones() -> None:
    with pytest.raises(
        NothingSelected, match=r"No file is 'unet/confg\.json'\. Near to it: 'unet/con"
    ):
        select(["unet/confg.json"], [file(path) for path in LISTED])


def test_a_pattern_without_a_file_is_answered_with_what_there_is() -> None:
    with pytest.raises(NothingSelected, match=r"There are: 'f0', .* and 2 more"):
        select(["*.qqq"], [file(f"f{number}") for number in range(10)])


def test_names_are_compared_composed() -> None:
    files = [file("u\u0308.json")]

    assert select(["ü.json"], files) == tuple(files)


@given(st.lists(st.sampled_from(["*", "**", "?", "a", "b", "/", "[", "]", "!"]), min_size=1))
def test_any_pattern_is_answered(parts: list[str]) -> None:
    files = [file("a/b/a/b/a/b/a/b"), file("aaaa")]
    try:
        found = select(["".join(parts)], files)
    except NothingSelected:
        found = ()

    assert {it.path for it in found} <= {it.path for it in files}


def test_many_stars_cost_no_time() -> None:
    files = [file("/".join(["a" * 200] * 5))]

    with pytest.raises(NothingSelected):
        select(["**/" * 100 + "*a" * 30 + "b"], files)


# What is meant by default

SDXL = [
    ".gitattributes",
    "01.png",
    "LICENSE.md",
    "README.md",
    "model_index.json",
    "pipeline.py",
    "sd_xl_base_1.0.safetensors",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/flax_model.msgpack",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.onnx",
    "text_encoder/model.safetensors",
    "text_encoder/openvino_model.bin",
    "text_encoder/openvino_model.xml",
    "text_encoder/pytorch_model.bin",
    "text_encoder_2/config.json",
    "text_encoder_2/model-00001-of-00002.safetensors",
    "text_encoder_2/model-00002-of-00002.safetensors",
    "text_encoder_2/model.fp16-00001-of-00002.safetensors",
    "text_encoder_2/model.safetensors.index.fp16.json",
    "text_encoder_2/model.safetensors.index.json",
    "text_encoder_2/pytorch_model.bin.index.json",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "vae_1_0/config.json",
    "vae_1_0/diffusion_pytorch_model.safetensors",
    "vae_decoder/config.json",
    "vae_decoder/model.onnx",
    "images/sample.json",
]
NEEDED = [
    ".gitattributes",
    "LICENSE.md",
    "README.md",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "text_encoder_2/config.json",
    "text_encoder_2/model-00001-of-00002.safetensors",
    "text_encoder_2/model-00002-of-00002.safetensors",
    "text_encoder_2/model.safetensors.index.json",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
]


@pytest.mark.parametrize("policy", [Policy(), Policy(allow_pickle=True)], ids=["strict", "lax"])
def test_of_a_diffusers_repository_each_weight_is_taken_once(policy: Policy) -> None:
    made = plan(SDXL, policy=policy)

    assert paths(made) == NEEDED
    assert made.warnings == ()


def test_every_file_left_out_has_a_reason() -> None:
    made = plan(SDXL)

    assert set(reasons(made)) == set(SDXL) - set(NEEDED)
    assert all(reasons(made).values())


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("sd_xl_base_1.0.safetensors", "is a whole model beside the diffusers layout"),
        ("01.png", "is no part of the model"),
        ("text_encoder/pytorch_model.bin", "holds what the safetensors beside it hold"),
        ("text_encoder/model.onnx", "is for another program"),
        ("text_encoder/openvino_model.bin", "is for another program"),
        ("text_encoder/flax_model.msgpack", "is for another program"),
        ("unet/diffusion_pytorch_model.fp16.safetensors", "is the variant fp16"),
        ("text_encoder_2/model.safetensors.index.fp16.json", "lists weights that are not taken"),
        ("vae_1_0/config.json", "is another edition of vae"),
        ("vae_decoder/config.json", "is for another program"),
        ("images/sample.json", "is in a folder that is no part of the model"),
    ],
)
def test_the_reason_says_what_the_file_is(path: str, why: str) -> None:
    assert why in reasons(plan(SDXL))[path]


def test_what_is_left_out_by_default_can_be_selected() -> None:
    made = plan(SDXL, "sd_xl_base_1.0.safetensors", "unet/*.fp16.safetensors")

    assert paths(made) == [
        "sd_xl_base_1.0.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    ]


def test_the_only_variant_is_taken_and_said() -> None:
    made = plan(["model_index.json", "unet/config.json", "unet/model.fp16.safetensors"])

    assert "unet/model.fp16.safetensors" in paths(made)
    assert made.warnings == ("'unet' has no default weights; its only variant, fp16, is taken.",)


def test_between_variants_nothing_is_guessed() -> None:
    with pytest.raises(NothingSelected, match="'unet' holds the variants bf16, fp16"):
        plan(
            [
                "model_index.json",
                "unet/config.json",
                "unet/model.fp16.safetensors",
                "unet/model.bf16.safetensors",
            ]
        )


PICKLED = ["model_index.json", "unet/config.json", "unet/x.bin", "vae/config.json"]


def test_a_part_that_is_only_a_pickle_is_left_out_and_said() -> None:
    made = plan([*PICKLED, "vae/x.safetensors"])

    assert "unet/x.bin" not in paths(made)
    assert "DF_DOWNLOAD_ALLOW_PICKLE=true allows it" in reasons(made)["unet/x.bin"]
    assert "'unet' has no weights of an allowed format" in made.warnings[0]


def test_a_part_that_is_only_a_pickle_is_taken_where_that_is_allowed() -> None:
    made = plan([*PICKLED, "vae/x.safetensors"], policy=Policy(allow_pickle=True))

    assert "unet/x.bin" in paths(made)
    assert made.warnings == ()


def test_of_any_other_repository_all_that_is_allowed_is_taken() -> None:
    made = plan(["a.safetensors", "a.bin", "b.safetensors", "README.md", "run.py", "x.h5"])

    assert paths(made) == ["a.safetensors", "b.safetensors", "README.md"]
    assert "program code" in reasons(made)["run.py"]
    assert "Keras" in reasons(made)["x.h5"]


def civitai(path: str, key: str, kind: str = "Model", **facts: str) -> RemoteFile:
    words = {"Model": "model", "Pruned Model": "model", "Negative": "model", "Config": "config"}
    return file(path, key=key, type=words.get(kind, "other"), facts={"type": kind, **facts})


FULL = civitai("m.safetensors", "1", primary="true")
PRUNED = civitai("m-pruned.safetensors", "2", "Pruned Model")
PICKLE = civitai("m.ckpt", "3", primary="true")
VAE = civitai("m.vae.safetensors", "4", "VAE")
CONFIG = civitai("m.yaml", "5", "Config")
NEGATIVE = civitai("neg.safetensors", "6", "Negative")


def test_of_a_version_the_primary_file_is_taken() -> None:
    made = plan([PRUNED, FULL, VAE, CONFIG])

    assert paths(made) == ["m.safetensors"]
    assert "#4 selects it" in reasons(made)["m.vae.safetensors"]


def test_other_files_of_a_version_are_taken_when_selected() -> None:
    assert paths(plan([PRUNED, FULL, VAE, CONFIG], "1", "4", "*.yaml")) == [
        "m.safetensors",
        "m.vae.safetensors",
        "m.yaml",
    ]


def test_a_primary_file_that_is_not_allowed_gives_way_to_one_that_is() -> None:
    made = plan([PICKLE, NEGATIVE, VAE, PRUNED])

    assert paths(made) == ["m-pruned.safetensors"]
    assert "'m-pruned.safetensors' is taken in its place" in made.warnings[0]


def test_nothing_gives_way_when_the_primary_file_is_allowed() -> None:
    assert paths(plan([PICKLE, PRUNED], policy=Policy(allow_pickle=True))) == ["m.ckpt"]


def test_a_version_without_an_allowed_file_says_which_option_allows_it() -> None:
    with pytest.raises(NothingSelected, match=r"'m\.ckpt' is a pickle.*DF_DOWNLOAD_ALLOW_PICKLE"):
        plan([PICKLE, NEGATIVE, VAE])


def test_what_the_source_made_of_the_selection_goes_first() -> None:
    assert paths(plan([FULL, PRUNED], "fp16", ref="civitai:1@2#2")) == ["m-pruned.safetensors"]


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
