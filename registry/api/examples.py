"""The examples that the OpenAPI document shows for models."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

_COMMIT = "462165984030d82259a11f4367a4eed129e94a7b"
_SHA256 = "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b"
_SUMMARY: dict[str, Any] = {
    "id": "6f0c1d4e-2b7a-4c39-9a51-0d6f8e2b7c13",
    "name": "stable-diffusion-xl-base-1.0",
    "kind": "sdxl-checkpoint",
    "version": _COMMIT[:12],
    "installed": True,
    "enabled": True,
    "parameters_schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "minLength": 1, "maxLength": 4096},
            "width": {
                "type": "integer",
                "minimum": 64,
                "maximum": 4096,
                "multipleOf": 8,
                "default": 1024,
            },
        },
        "required": ["prompt"],
        "additionalProperties": False,
        "x-order": ["prompt", "width"],
    },
}
_MODEL: dict[str, Any] = {
    **_SUMMARY,
    "capabilities": {
        "role": "checkpoint",
        "family": "sdxl",
        "tasks": ["text-to-image"],
        "negative_prompt": True,
        "native_size": [1024, 1024],
    },
    "checkpoint_hash": f"sha256:{_SHA256}",
    "source_uri": f"hf:stabilityai/stable-diffusion-xl-base-1.0@{_COMMIT}"
    "#sd_xl_base_1.0.safetensors",
    "local_path": None,
    "files_json": [
        {
            "path": "sd_xl_base_1.0.safetensors",
            "sha256": _SHA256,
            "size": 6938078334,
            "trust": "verified",
            "source_digest": f"sha256:{_SHA256}",
        }
    ],
    "schema_version": 1,
    "provenance": {
        "source": "hf",
        "repo": "stabilityai/stable-diffusion-xl-base-1.0",
        "commit": _COMMIT,
        "revision": "main",
        "licence": "openrail++",
        "downloaded_at": "2026-11-20T09:00:00.000000Z",
    },
    "trust": "verified",
    "size_bytes": 6938078334,
    "is_default": True,
    "last_used_at": None,
    "created_at": "2026-11-20T09:00:01.000000Z",
    "updated_at": "2026-11-20T09:00:01.000000Z",
}


def _answer(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200"])


SUMMARY = _answer("A checkpoint", _SUMMARY)
MODEL = _answer("A checkpoint", _MODEL)
DEFAULTS = OpenApiExample(
    "Fewer steps", value={"defaults": {"steps": 24, "guidance": 5.5}}, request_only=True
)
DISABLED = _answer("Disabled", {**_MODEL, "enabled": False, "is_default": False})
