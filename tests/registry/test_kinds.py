"""Which kind a set of files is, by landmarks of real files."""

from __future__ import annotations

import pytest

from registry import kinds
from registry.kinds import FileFacts, guess

pytestmark = pytest.mark.pure

CLIP_L = "conditioner.embedders.0.transformer.text_model.embeddings.position_ids"
CLIP_G = "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.weight"
UNET = "model.diffusion_model.input_blocks.0.0.weight"
VAE = "first_stage_model.encoder.conv_in.weight"
SDXL = {CLIP_L: (1, 77), CLIP_G: (1280, 5120), UNET: (320, 4, 3, 3), VAE: (128, 3, 3, 3)}
VAE_NAMES = ("encoder.conv_in.weight", "decoder.conv_in.weight", "decoder.conv_out.weight")

FILES = {
    "SDXL": (SDXL, "sdxl-checkpoint"),
    "SDXL with its VAE under another prefix": (
        {CLIP_G: (1280, 5120), UNET: (320, 4, 3, 3), "vae.decoder.conv_in.weight": (1,)},
        "sdxl-checkpoint",
    ),
    "SDXL for inpainting": ({**SDXL, UNET: (320, 9, 3, 3)}, "other"),
    "SDXL without its VAE": ({CLIP_G: (1280, 5120), UNET: (320, 4, 3, 3)}, "other"),
    "the refiner": (
        {
            "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.weight": (1280, 5120),
            UNET: (384, 4, 3, 3),
            VAE: (128, 3, 3, 3),
        },
        "other",
    ),
    "SD 1.5": (
        {
            "cond_stage_model.transformer.text_model.final_layer_norm.bias": (768,),
            UNET: (320, 4, 3, 3),
            VAE: (128, 3, 3, 3),
        },
        "other",
    ),
    "a LoRA of kohya": (
        {"lora_unet_input_blocks_4_1_proj_in.lora_down.weight": (8, 640)},
        "lora",
    ),
    "a LoRA of peft": ({"unet.down_blocks.1.attn1.to_q.lora_A.weight": (8, 640)}, "lora"),
    "a LoRA of diffusers": (
        {"unet.down_blocks.1.attentions.0.processor.to_q_lora.lora.down.weight": (4, 640)},
        "lora",
    ),
    "a LoHa": ({"lora_unet_mid_block.hada_w1_a": (640, 8)}, "lora"),
    "a LoKr": ({"lora_unet_mid_block.lokr_w1": (8, 8)}, "lora"),
    "a VAE": (dict.fromkeys(VAE_NAMES, (1,)), "vae"),
    "a VAE as a checkpoint has it": (
        {f"first_stage_model.{name}": (1,) for name in VAE_NAMES},
        "vae",
    ),
    "a VAE with something else beside it": (
        {**dict.fromkeys(VAE_NAMES, (1,)), "control_model.x": (1,)},
        "other",
    ),
    "an embedding for SDXL": ({"clip_g": (2, 1280), "clip_l": (2, 768)}, "embedding"),
    "an embedding for SD": ({"emb_params": (2, 768)}, "embedding"),
    "an embedding of diffusers": ({"<cat-toy>": (768,)}, "embedding"),
    "ESRGAN, old": (
        {"model.0.weight": (64, 3, 3, 3), "model.1.sub.0.RDB1.conv1.0.weight": (1,)},
        "upscaler",
    ),
    "ESRGAN, new": ({"params_ema.body.0.rdb1.conv1.weight": (32, 64, 3, 3)}, "upscaler"),
    "RRDB": ({"RRDB_trunk.0.RDB1.conv1.weight": (32, 64, 3, 3)}, "upscaler"),
    "SwinIR": ({"layers.0.residual_group.blocks.0.norm1.weight": (180,)}, "upscaler"),
    "a compact upscaler": (
        {"body.0.weight": (64, 3, 3, 3), "body.0.bias": (64,), "body.1.weight": (64,)},
        "upscaler",
    ),
    "a language model": ({"model.layers.0.self_attn.q_proj.weight": (4096, 4096)}, "other"),
    "nothing": ({}, "other"),
}


@pytest.mark.parametrize(("tensors", "kind"), FILES.values(), ids=FILES)
def test_a_file_is_told_by_its_tensors(tensors: dict[str, tuple[int, ...]], kind: str) -> None:
    assert guess(None, [FileFacts("x.safetensors")], {"x.safetensors": tensors}) == kind


def test_tensors_win_over_what_the_source_says() -> None:
    lora = {"a.lora_down.weight": (8, 8)}
    assert guess("sdxl-checkpoint", [FileFacts("x")], {"x": lora}) == "lora"
    assert guess("sdxl-checkpoint", [FileFacts("x")], {"x": {UNET: (320, 4, 3, 3)}}) == "other"


@pytest.mark.parametrize("hint", ["lora", "vae", "upscaler", "embedding", "other"])
def test_where_tensors_say_nothing_the_source_is_believed(hint: str) -> None:
    assert guess(hint, [FileFacts("x.safetensors")], {"x.safetensors": {"w": (1,)}}) == hint
    assert guess(hint, [FileFacts("x.pth")], {}) == hint


def test_a_hint_before_the_bytes_are_here_is_believed() -> None:
    assert guess("sdxl-checkpoint", [FileFacts("x.safetensors")], {}) == "sdxl-checkpoint"


@pytest.mark.parametrize("hint", [None, "text-to-image", "", "LORA"])
def test_a_word_that_is_no_kind_is_no_hint(hint: str | None) -> None:
    assert guess(hint, [FileFacts("x.bin")], {}) == "other"


def test_of_several_files_the_most_telling_one_decides() -> None:
    held: dict[str, dict[str, tuple[int, ...]]] = {
        "model.safetensors": SDXL,
        "vae.safetensors": dict.fromkeys(VAE_NAMES, (1,)),
    }
    assert guess(None, [FileFacts(path) for path in held], held) == "sdxl-checkpoint"


# Layouts

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "scheduler", "tokenizer", "tokenizer_2")
XL = '{"_class_name": "StableDiffusionXLPipeline"}'


def layout(*folders: str, text: str | None = None, top: str = "") -> list[FileFacts]:
    files = [FileFacts(f"{top}{folder}/config.json") for folder in folders]
    return [FileFacts(f"{top}model_index.json", text=text), *files]


@pytest.mark.parametrize("text", [None, XL])
@pytest.mark.parametrize("top", ["", "base/"])
def test_the_layout_of_diffusers_is_sdxl_by_its_parts(text: str | None, top: str) -> None:
    vae = {f"{top}vae/x.safetensors": dict.fromkeys(VAE_NAMES, (1,))}
    assert guess(None, layout(*PARTS, text=text, top=top), vae) == "sdxl-diffusers"


OTHERS = {
    "another pipeline": layout(*PARTS, text='{"_class_name": "StableDiffusionPipeline"}'),
    "an unreadable index": layout(*PARTS, text="<html>"),
    "an index that is no object": layout(*PARTS, text="[]"),
    "one text encoder": layout("unet", "vae", "text_encoder"),
    "a transformer": layout(*PARTS, "transformer"),
    "an upper folder only": layout(*PARTS[1:]),
}


@pytest.mark.parametrize("files", OTHERS.values(), ids=OTHERS)
def test_another_layout_of_diffusers_is_not_drawn(files: list[FileFacts]) -> None:
    assert guess("sdxl-diffusers", files, {}) == "other"


def test_an_inpainting_unet_is_not_drawn() -> None:
    unet = {"unet/x.safetensors": {"conv_in.weight": (320, 9, 3, 3)}}
    assert guess(None, layout(*PARTS, text=XL), unet) == "other"
    assert (
        guess(
            None,
            layout(*PARTS, text=XL),
            {"unet/x.safetensors": {"conv_in.weight": (320, 4, 3, 3)}},
        )
        == "sdxl-diffusers"
    )


def test_a_part_of_a_layout_alone_is_what_it_is() -> None:
    vae = {"vae/x.safetensors": dict.fromkeys(VAE_NAMES, (1,))}
    assert guess("sdxl-diffusers", [FileFacts("vae/x.safetensors")], vae) == "vae"
    assert guess("sdxl-diffusers", [FileFacts("readme.md")], {}) == "other"


def test_what_is_drawn_is_a_kind() -> None:
    assert set(kinds.DRAWN) < set(kinds.KINDS)
