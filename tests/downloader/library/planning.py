"""Lists of files as a source tells them, and the plans made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from downloader.library.plan import Plan, make
from downloader.library.refs import parse
from downloader.library.safety import Policy
from downloader.library.sources.base import RemoteFile, Resolved
from downloader.library.sources.filetypes import type_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
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
