"""Folders and single files: the same model either way, and a clear word about what is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers
from accelerate import init_empty_weights
from safetensors.torch import load_file, save_file

from runners.engines.base import Picture
from runners.engines.sdxl import clip_tokens, folder, schedulers
from runners.engines.sdxl.engine import SdxlEngine
from runners.errors import InvalidInput, InvalidModel
from runners.protocol import EngineSettings, ModelFiles
from tests.runners.engines.asking import TOLERANCE, Notes, Watcher, distance, request, seeded
from tests.runners.engines.conftest import Tiny
from tests.runners.engines.sdxl import models, original_layout

pytestmark = [pytest.mark.pure, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

UNET = "model.diffusion_model."
FIRST = f"{UNET}input_blocks.0.0.weight"
TEXT = "conditioner.embedders.0.transformer.text_model."
TEXT_2 = "conditioner.embedders.1.model."


def drawn(engine: SdxlEngine, files: ModelFiles) -> Picture:
    engine.load(files, EngineSettings(), Notes())
    (picture,) = engine.draw(request(), seeded(3), Watcher(), Notes())
    return picture


def copied(tiny: Tiny, to: Path) -> Path:
    return Path(shutil.copytree(tiny.path, to / "copy"))


def in_folder(path: Path) -> ModelFiles:
    return ModelFiles(str(path), "diffusers", str(path))


# What is a model


def test_a_single_file_gives_the_pixels_of_its_folder(engine: SdxlEngine, tiny: Tiny) -> None:
    assert distance(drawn(engine, tiny.folder), drawn(engine, tiny.single)) <= TOLERANCE


def test_every_tensor_of_a_single_file_arrives(fresh_engine: SdxlEngine, tiny: Tiny) -> None:
    fresh_engine.load(tiny.single, EngineSettings(), Notes())
    assert fresh_engine._model is not None
    read = original_layout.tensors(fresh_engine._model.pipe)
    written = original_layout.tensors(tiny.pipe)
    assert read.keys() == written.keys()
    assert [key for key in read if not torch.equal(read[key], written[key])] == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_drawn_in_single_precision_without_a_gpu(
    engine: SdxlEngine, tiny: Tiny, tmp_path: Path, dtype: torch.dtype
) -> None:
    halved = {key: value.to(dtype) for key, value in load_file(tiny.single_path).items()}
    save_file(halved, tmp_path / "half.safetensors")
    picture = drawn(engine, tiny.of_single(tmp_path / "half.safetensors"))
    assert engine._model is not None
    assert engine._model.pipe.unet.dtype == torch.float32
    assert distance(picture, drawn(engine, tiny.folder)) < 40  # the weights are rounded


def test_a_folder_with_files_of_one_variant_is_read(
    engine: SdxlEngine, tiny: Tiny, tmp_path: Path
) -> None:
    path = copied(tiny, tmp_path)
    for file in list(path.rglob("*.safetensors")):
        file.rename(file.with_name(f"{file.stem}.fp16.safetensors"))
    assert drawn(engine, in_folder(path)) == drawn(engine, tiny.folder)


def test_a_folder_in_shards_is_read(engine: SdxlEngine, tiny: Tiny, tmp_path: Path) -> None:
    path = models.save_folder(tiny.pipe, tmp_path / "shards", max_shard_size="1MB")
    assert list((path / "unet").glob("*-of-*.safetensors"))
    assert drawn(engine, in_folder(path)) == drawn(engine, tiny.folder)


def test_what_others_leave_in_a_file_does_no_harm(
    engine: SdxlEngine, tiny: Tiny, tmp_path: Path
) -> None:
    extra = {"denoiser.sigmas": torch.zeros(1000), "model_ema.decay": torch.zeros(())}
    file = models.save_single_file(tiny.pipe, tmp_path / "junk.safetensors", extra=extra)
    assert drawn(engine, tiny.of_single(file)) == drawn(engine, tiny.single)


def test_the_configuration_that_comes_along_is_that_of_the_real_model() -> None:
    with init_empty_weights():
        unet = diffusers.UNet2DConditionModel.from_config(models.config("unet", models.FULL))
        vae = diffusers.AutoencoderKL.from_config(models.config("vae", models.FULL))
        first, second = (
            cls(transformers.CLIPTextConfig(**models.config(name, models.FULL)))
            for name, cls in (
                ("text_encoder", transformers.CLIPTextModel),
                ("text_encoder_2", transformers.CLIPTextModelWithProjection),
            )
        )
    counts = [sum(p.numel() for p in part.parameters()) for part in (unet, vae, first, second)]
    assert counts == [2_567_463_684, 83_653_863, 123_060_480, 694_659_840]


def test_the_tokenizer_that_comes_along_is_that_of_the_real_model() -> None:
    first, second = clip_tokens.first(), clip_tokens.second()
    text = "a photo of an astronaut riding a horse"
    ids = first(text).input_ids
    assert ids[:6] == [49406, 320, 1125, 539, 550, 18376]
    assert ids[-1] == 49407
    assert second(text).input_ids == ids
    assert (first.pad_token_id, second.pad_token_id) == (49407, 0)
    assert len(clip_tokens.vocabulary()) == 49_408


# How it was trained


def test_a_file_that_says_v_prediction_is_drawn_so(
    engine: SdxlEngine, tiny: Tiny, tmp_path: Path
) -> None:
    marked = models.save_single_file(
        tiny.pipe, tmp_path / "v.safetensors", extra={"v_pred": torch.zeros(0)}
    )
    path = copied(tiny, tmp_path)
    _change(path / "scheduler" / "scheduler_config.json", {"prediction_type": "v_prediction"})
    picture = drawn(engine, tiny.of_single(marked))
    assert distance(picture, drawn(engine, in_folder(path))) <= TOLERANCE
    assert picture != drawn(engine, tiny.single)


@pytest.mark.parametrize(
    ("extra", "metadata", "expected"),
    [
        ({}, {}, ("epsilon", None, "leading")),
        ({}, {"modelspec.prediction_type": "v"}, ("v_prediction", None, "leading")),
        ({"v_pred": torch.zeros(0)}, {}, ("v_prediction", None, "leading")),
        (
            {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)},
            {},
            ("v_prediction", True, "trailing"),
        ),
    ],
)
def test_marks_of_a_file_decide_its_schedule(
    fresh_engine: SdxlEngine,
    tiny: Tiny,
    tmp_path: Path,
    extra: Mapping[str, torch.Tensor],
    metadata: dict[str, str],
    expected: tuple[str, bool | None, str],
) -> None:
    file = models.save_single_file(
        tiny.pipe, tmp_path / "marked.safetensors", extra=extra, metadata=metadata
    )
    drawn(fresh_engine, tiny.of_single(file))
    assert fresh_engine._model is not None
    used = fresh_engine._model.pipe.scheduler.config
    rescaled = used.rescale_betas_zero_snr or None
    assert (used.prediction_type, rescaled, used.timestep_spacing) == expected


def test_of_a_models_own_scheduler_only_its_training_counts() -> None:
    own = {"beta_end": 0.02, "use_karras_sigmas": True, "clip_sample": True, "_class_name": "X"}
    trained = schedulers.trained_as(own)
    assert trained == {**schedulers.BASE, "beta_end": 0.02}


# What is none


def shortened(tiny: Tiny, to: Path) -> ModelFiles:
    file = to / "short.safetensors"
    file.write_bytes(tiny.single_path.read_bytes()[:-1000])
    return tiny.of_single(file)


def without(*prefixes: str) -> Callable[[Tiny, Path], ModelFiles]:
    def made(tiny: Tiny, to: Path) -> ModelFiles:
        file = models.save_single_file(tiny.pipe, to / "less.safetensors", without=prefixes)
        return tiny.of_single(file)

    return made


def instead(*names: str) -> Callable[[Tiny, Path], ModelFiles]:
    def made(tiny: Tiny, to: Path) -> ModelFiles:
        save_file({name: torch.zeros(1) for name in names}, to / "other.safetensors")
        return tiny.of_single(to / "other.safetensors")

    return made


def besides(tensors: Mapping[str, torch.Tensor]) -> Callable[[Tiny, Path], ModelFiles]:
    def made(tiny: Tiny, to: Path) -> ModelFiles:
        file = models.save_single_file(tiny.pipe, to / "more.safetensors", extra=tensors)
        return tiny.of_single(file)

    return made


def spoiled(change: Callable[[Path], object]) -> Callable[[Tiny, Path], ModelFiles]:
    def made(tiny: Tiny, to: Path) -> ModelFiles:
        path = copied(tiny, to)
        change(path)
        return in_folder(path)

    return made


def _change(file: Path, changes: Mapping[str, Any]) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def _shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def _drop_tensor(file: Path) -> None:
    tensors = load_file(file)
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, file, metadata={"format": "pt"})


NO_MODELS: Mapping[str, tuple[Callable[[Tiny, Path], ModelFiles], str]] = {
    "cut short": (shortened, "short.safetensors is damaged or cut short"),
    "no UNet": (without(UNET), "The UNet is missing"),
    "no VAE": (without("first_stage_model."), "The VAE is missing"),
    "no first text encoder": (without(TEXT), "The first text encoder is missing"),
    "no second text encoder": (without(TEXT_2), "The second text encoder is missing"),
    "a UNet tensor less": (without(f"{UNET}out.2.bias"), "UNet or its VAE are missing"),
    "a VAE tensor less": (
        without("first_stage_model.decoder.conv_out.bias"),
        "UNet or its VAE are missing",
    ),
    "a text tensor less": (
        without(f"{TEXT}final_layer_norm.bias"),
        "The first text encoder is incomplete: 1 tensors are missing, such as .*final_layer_norm",
    ),
    "SD 1": (
        instead(FIRST, "cond_stage_model.transformer.text_model.x"),
        "a Stable Diffusion 1 checkpoint",
    ),
    "SD 2": (instead(FIRST, "cond_stage_model.model.x"), "Stable Diffusion 2"),
    "SD 3": (instead("model.diffusion_model.joint_blocks.0.x"), "Stable Diffusion 3"),
    "Flux": (instead("double_blocks.0.img_attn.qkv.weight"), "a Flux checkpoint"),
    "refiner": (instead(FIRST, "conditioner.embedders.0.model.x"), "the SDXL refiner"),
    "LoRA": (instead("lora_unet_x.lora_down.weight"), "a LoRA"),
    "nothing": (instead("x"), "The UNet is missing"),
    "inpainting": (besides({FIRST: torch.zeros(8, 9, 3, 3)}), "takes 9 channels"),
    "another width": (besides({FIRST: torch.zeros(16, 4, 3, 3)}), "no whole SDXL model: "),
    "EDM": (besides({"edm_vpred.sigma_max": torch.zeros(1)}), "noise schedule"),
    "no such file": (lambda tiny, to: tiny.of_single(to / "gone.safetensors"), "is not there"),
    "pickle": (lambda tiny, to: tiny.of_single(to / "model.ckpt"), "can carry code"),
    "another layout": (lambda _tiny, _to: ModelFiles("", "onnx", ""), "layout 'onnx'"),
    "no folder": (lambda _tiny, to: in_folder(to / "gone"), "model_index.json is missing"),
    "no index": (
        spoiled(lambda path: (path / folder.INDEX).unlink()),
        "model_index.json is missing",
    ),
    "a broken index": (
        spoiled(lambda path: (path / folder.INDEX).write_text("{")),
        "model_index.json is damaged",
    ),
    "a list for an index": (
        spoiled(lambda path: (path / folder.INDEX).write_text("[]")),
        "holds no settings",
    ),
    "another pipeline": (
        spoiled(lambda path: _change(path / folder.INDEX, {"_class_name": "FluxPipeline"})),
        "a FluxPipeline, not an SDXL model",
    ),
    "a folder without VAE": (
        spoiled(lambda path: shutil.rmtree(path / "vae")),
        "The VAE is missing",
    ),
    "a folder without text encoder": (
        spoiled(lambda path: _change(path / folder.INDEX, {"text_encoder": [None, None]})),
        "The first text encoder is missing",
    ),
    "a folder without weights": (
        spoiled(lambda path: next((path / "unet").glob("*.safetensors")).unlink()),
        "The UNet is incomplete: no .safetensors file",
    ),
    "a folder cut short": (
        spoiled(lambda path: _shorten(next((path / "vae").glob("*.safetensors")))),
        "damaged or cut short",
    ),
    "a folder with a tensor less": (
        spoiled(lambda path: _drop_tensor(path / "text_encoder_2" / "model.safetensors")),
        "The second text encoder is incomplete: 1 tensors",
    ),
    "a folder with a UNet tensor less": (
        spoiled(lambda path: _drop_tensor(next((path / "unet").glob("*.safetensors")))),
        "UNet",
    ),
    "a folder with another width": (
        spoiled(lambda path: _change(path / "unet" / "config.json", {"cross_attention_dim": 64})),
        "no whole SDXL model: ",
    ),
    "a folder for pictures": (
        spoiled(lambda path: _change(path / "unet" / "config.json", {"in_channels": 9})),
        "SDXL model: |takes 9 channels",
    ),
    "a folder without tokenizer files": (
        spoiled(lambda path: (path / "tokenizer" / "tokenizer.json").unlink()),
        "tokenizer holds no vocabulary",
    ),
}


@pytest.mark.parametrize("case", NO_MODELS)
def test_what_is_no_whole_model_is_named(
    fresh_engine: SdxlEngine, tiny: Tiny, tmp_path: Path, case: str
) -> None:
    make, why = NO_MODELS[case]
    files = make(tiny, tmp_path)
    with pytest.raises(InvalidModel, match=why) as error:
        fresh_engine.load(files, EngineSettings(), Notes())
    assert error.value.message.endswith(".") or ": " in error.value.message


def test_after_a_model_that_is_none_the_next_is_drawn(
    fresh_engine: SdxlEngine, tiny: Tiny, tmp_path: Path
) -> None:
    expected = drawn(fresh_engine, tiny.folder)
    with pytest.raises(InvalidModel):
        fresh_engine.load(shortened(tiny, tmp_path), EngineSettings(), Notes())
    assert drawn(fresh_engine, tiny.folder) == expected


# How far it is


@pytest.mark.parametrize("layout", ["folder", "single"])
def test_loading_says_how_far_it_is(fresh_engine: SdxlEngine, tiny: Tiny, layout: str) -> None:
    told: list[float] = []
    fresh_engine.load(getattr(tiny, layout), EngineSettings(), Notes(), told.append)
    assert told == sorted(told)
    assert {0.5, 1.0} <= set(told)


# Loading again


def test_the_same_model_is_not_loaded_twice(engine: SdxlEngine, tiny: Tiny) -> None:
    before = engine._model
    engine.load(tiny.folder, EngineSettings(), Notes())
    assert engine._model is before


def test_other_settings_load_it_again(engine: SdxlEngine, tiny: Tiny) -> None:
    before = engine._model
    engine.load(tiny.folder, EngineSettings(dtype="bf16"), Notes())
    assert engine._model is not before
    assert engine._model is not None
    assert engine._model.pipe.unet.dtype == torch.bfloat16


def test_an_unknown_setting_is_refused_and_leaves_the_model(engine: SdxlEngine, tiny: Tiny) -> None:
    before = engine._model
    with pytest.raises(InvalidInput, match="dtype 'fp4' is not known"):
        engine.load(tiny.folder, EngineSettings(dtype="fp4"), Notes())
    assert engine._model is before
