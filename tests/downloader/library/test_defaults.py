"""Which files are meant when nobody named any."""

from __future__ import annotations

import pytest

from downloader.library.errors import NothingSelected
from downloader.library.safety import Policy
from downloader.library.sources.base import RemoteFile
from tests.downloader.library.planning import SDXL, file, paths, plan, reasons

pytestmark = pytest.mark.pure

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
