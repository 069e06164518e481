"""The examples that the OpenAPI document shows for downloads."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

_ID = "6d4be3a1-0f5c-4d1c-8d5e-0e1a6a7c9b20"
_MODEL_ID = "b5a1c9de-93ce-4d5e-8d5a-9a0d6b7f1c33"
_COMMIT = "462165984030d82259a11f4367a4eed129e94a7b"
_SUMMARY: dict[str, Any] = {
    "id": _ID,
    "kind": "download",
    "status": "running",
    "ref": "hf:stabilityai/stable-diffusion-xl-base-1.0",
    "source_uri": f"hf:stabilityai/stable-diffusion-xl-base-1.0@{_COMMIT}",
    "model_id": None,
    "repo_id": None,
    "progress_pct": 41.2,
    "bytes_done": 2_860_000_000,
    "bytes_total": 6_938_041_050,
    "rate_bps": 92_000_000,
    "eta_s": 44.3,
    "created_at": "2026-11-20T09:00:00.000000Z",
    "started_at": "2026-11-20T09:00:00.041210Z",
    "finished_at": None,
    "error_code": "",
    "error_message": "",
}
_LINE = {
    "job_id": _ID,
    "seq": 4,
    "ts": "2026-11-20T09:00:01.052000Z",
    "level": "info",
    "code": "download.resolved",
    "message": "stable-diffusion-xl-base-1.0: 18 files to install.",
}


def _answer(name: str, value: Any, status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


SUMMARY = _answer("A running download", _SUMMARY)
DETAIL = _answer(
    "A running download",
    {
        **_SUMMARY,
        "owner_id": "0b7e7f1a-6a1b-4a53-9a3a-2f4d9a0c1e55",
        "files": {"pending": 9, "downloading": 4, "done": 5, "failed": 0},
        "log": [_LINE],
    },
)
FILE = _answer(
    "A file",
    {
        "path": "unet/diffusion_pytorch_model.safetensors",
        "status": "downloading",
        "size_bytes": 10_270_077_736,
        "bytes_done": 4_194_304_000,
    },
)
CREATE = OpenApiExample(
    "A repository",
    value={"ref": "hf:stabilityai/stable-diffusion-xl-base-1.0", "name": "sdxl-base"},
    request_only=True,
)
CREATED = _answer("The download", {"download_id": _ID, "status": "queued"}, "202")
VERIFY = OpenApiExample(
    "One model", value={"model_id": _MODEL_ID, "repair": True}, request_only=True
)
REMOVE = OpenApiExample("Only look", value={"dry_run": True}, request_only=True)
REMOVED = _answer(
    "What it would free",
    {"removed": False, "freed_bytes": 6_938_040_682, "kept_bytes": 334_643_276},
)
