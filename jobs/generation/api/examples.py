"""The examples that the OpenAPI document shows for images."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

from jobs import thumbnails

_JOB = "3f1c2f3e-8a54-4d0b-9f0e-5b7b6d0f3a11"
_ARTIFACT = "a4b9cf3c-5a1d-4f7e-8a55-0d6a3a1f9f01"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_RECORD = {"prompt": "a lighthouse in a storm", "seed": 42, "job_id": _JOB}


def _answer(name: str, value: Any, status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


ARTIFACTS = _answer(
    "One image",
    {
        "artifacts": [
            {
                "id": _ARTIFACT,
                "format": "png",
                "content_type": "image/png",
                "width": 1024,
                "height": 1024,
                "seed": 42,
                "item_index": 0,
                "s3_key": f"dreamforge/7/jobs/{_JOB}/generate/"
                "20261120T090012000000Z_0_1024x1024_42.png",
                "url": f"http://localhost:8000/v1/artifacts/{_ARTIFACT}/file"
                "?expires=1795165212&signature=c2lnbmF0dXJl",
                "thumbnail_url": f"http://localhost:8000/v1/artifacts/{_ARTIFACT}/thumbnail"
                "?expires=1795165212&signature=c21hbGwgb25l",
                "expires_at": "2026-11-20T10:00:12.000000Z",
                "sha256": _SHA256,
                "size_bytes": 1_482_331,
                "created_at": "2026-11-20T09:00:12.000000Z",
            }
        ]
    },
)
FILE = OpenApiExample(
    "A picture", value="(bytes)", response_only=True, status_codes=["200"], media_type="image/*"
)
PART = OpenApiExample(
    "A part", value="(bytes)", response_only=True, status_codes=["206"], media_type="image/*"
)
THUMBNAIL = OpenApiExample(
    "A thumbnail",
    value="(bytes)",
    response_only=True,
    status_codes=["200"],
    media_type=thumbnails.CONTENT_TYPE,
)
THUMBNAIL_PART = OpenApiExample(
    "A part",
    value="(bytes)",
    response_only=True,
    status_codes=["206"],
    media_type=thumbnails.CONTENT_TYPE,
)
PRESETS = _answer(
    "One preset",
    {
        "presets": [
            {
                "name": "24gb",
                "version": 1,
                "label": "GPUs with 16 to 24 GB: the whole model stays on the device",
                "memory_bytes": 25_769_803_776,
                "parameters": {},
                "engine": {"dtype": "auto", "offload": "none", "vae_slicing": True},
                "parallel": 1,
                "smaller": "12gb",
            }
        ]
    },
)


def _sent(name: str, value: Any, media_type: str) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True, media_type=media_type)


VERIFY = (
    _sent("In Base64", {"image": "iVBORw0KGgo="}, "application/json"),
    _sent("A PNG", "(bytes)", "image/png"),
    _sent("A JPEG", "(bytes)", "image/jpeg"),
    _sent("A form", {"image": "(bytes)"}, "multipart/form-data"),
)
VERDICT = _answer(
    "Made here",
    {
        "verdict": "authentic",
        "message": "The image was made here and is as it was made.",
        "record": _RECORD,
        "job_id": _JOB,
        "artifact_id": _ARTIFACT,
        "request": {"type": "generate", "prompt": "a lighthouse in a storm", "seed": 42},
    },
)
