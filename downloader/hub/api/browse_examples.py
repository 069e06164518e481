"""The examples that the OpenAPI document shows for looking at a hub."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

_COMMIT = "462165984030d82259a11f4367a4eed129e94a7b"


def _answer(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200"])


ADDRESS = OpenApiExample(
    "A file's page",
    value={"url": "https://huggingface.co/author/repo/blob/main/unet/config.json"},
    request_only=True,
)
PARTS = _answer(
    "Its parts",
    {
        "author": "author",
        "repo": "repo",
        "revision": "main",
        "path": "unet/config.json",
    },
)
REFS = _answer(
    "One branch",
    {"source": "hub", "branches": [{"name": "main", "commit": _COMMIT}], "tags": []},
)
REPOSITORY = _answer(
    "Not tracked yet",
    {
        "author": "stabilityai",
        "repo": "stable-diffusion-xl-base-1.0",
        "source": "hub",
        "revision": "main",
        "commit": _COMMIT,
        "licence": "openrail++",
        "gated": False,
        "private": False,
        "tags": ["diffusers", "text-to-image"],
        "library": "diffusers",
        "pipeline": "text-to-image",
        "file_count": 57,
        "size_bytes": None,
        "repo_id": None,
        "status": None,
        "is_downloaded": False,
    },
)
TREE = _answer(
    "A file and a folder",
    {
        "source": "hub",
        "commit": None,
        "next_cursor": None,
        "files": [
            {
                "path": "unet",
                "size_bytes": None,
                "type": "dir",
                "sha256": None,
                "local": False,
                "kind": None,
                "format": None,
            },
            {
                "path": "model_index.json",
                "size_bytes": 609,
                "type": "file",
                "sha256": None,
                "local": True,
                "kind": "config",
                "format": None,
            },
        ],
    },
)
FILE = _answer(
    "Weights",
    {
        "source": "hub",
        "path": "vae/diffusion_pytorch_model.safetensors",
        "size_bytes": 334_643_268,
        "kind": "model",
        "format": "safetensors",
        "sha256": "1598f3d24932bcfe6634e8b618ea1e30ab1d57f5aad13a6d2de446d2199f2341",
        "local": False,
        "commit": _COMMIT,
        "json": None,
        "safetensors": {
            "tensor_count": 248,
            "parameter_count": 83_653_863,
            "dtypes": {"F32": 83_653_863},
            "header_bytes": 27_808,
            "metadata": {"format": "pt"},
        },
        "problem": None,
    },
)
