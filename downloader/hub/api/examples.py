"""The examples that the OpenAPI document shows for tracked repositories."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

_COMMIT = "462165984030d82259a11f4367a4eed129e94a7b"
_REPO_ID = "0c9c7f3e-4b7f-4c55-9a55-4d7b2d9c6a10"
_JOB_ID = "6d4be3a1-0f5c-4d1c-8d5e-0e1a6a7c9b20"
_FILE_ID = "77b1f8f2-6d0d-4b39-8f1c-4f6d9f0a2b31"
_FOLDER = "stabilityai/sdxl-turbo/main"
_REPO: dict[str, Any] = {
    "id": _REPO_ID,
    "source": "hf",
    "author": "stabilityai",
    "repo": "sdxl-turbo",
    "revision": "main",
    "status": "synced",
    "commit": _COMMIT,
    "file_count": 31,
    "size_bytes": 27_741_000_000,
    "done_count": 12,
    "done_bytes": 6_940_000_000,
    "folder": _FOLDER,
    "is_downloaded": False,
    "auto_sync": True,
    "gated": False,
    "private": False,
    "licence": "sai-nc-community",
    "page": "https://huggingface.co/stabilityai/sdxl-turbo",
    "update_commit": "",
    "gone_at": None,
    "checked_at": "2026-11-20T09:00:00.000000Z",
    "synced_at": "2026-11-20T09:00:00.000000Z",
    "created_at": "2026-11-19T16:20:00.000000Z",
    "error_code": "",
    "error_message": "",
    "work": {"job_id": _JOB_ID, "kind": "mirror", "status": "running", "progress": 0.42},
}
_FILE = {
    "id": _FILE_ID,
    "path": "vae/diffusion_pytorch_model.safetensors",
    "size_bytes": 334_643_268,
    "type": "model",
    "format": "safetensors",
    "digest": "sha256:1598f3d24932bcfe6634e8b618ea1e30ab1d57f5aad13a6d2de446d2199f2341",
    "sha256": "1598f3d24932bcfe6634e8b618ea1e30ab1d57f5aad13a6d2de446d2199f2341",
    "status": "done",
    "trust": "verified",
    "barred": "",
    "error": "",
    "verified_at": "2026-11-20T09:02:11.000000Z",
    "local_path": f"{_FOLDER}/vae/diffusion_pytorch_model.safetensors",
}
_SNAPSHOT = {
    "commit": _COMMIT,
    "folder": _FOLDER,
    "file_count": 31,
    "size_bytes": 27_741_000_000,
    "done_count": 12,
    "done_bytes": 6_940_000_000,
    "changes": {},
    "taken_at": "2026-11-20T09:00:00.000000Z",
}


def _answer(name: str, value: Any, status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


def _body(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def accepted(message: str) -> OpenApiExample:
    return _answer("The job", {"job_id": _JOB_ID, "status": "queued", "message": message}, "202")


REGISTER = _body("By name", {"source_repo_id": "stabilityai/sdxl-turbo", "auto_sync": True})
REGISTERED = _answer("On the list now", {**_REPO, "status": "registered", "work": None}, "201")
STOOD = _answer("It was there", _REPO)
REPO = _answer("A repository", _REPO)
DETAIL = _answer(
    "A repository",
    {**_REPO, "metadata": {"library": "diffusers"}, "update": {}, "commits": [_SNAPSHOT]},
)
FILE = _answer("A file", _FILE)
SYNC = _body("As it is registered", {"repo_id": _REPO_ID})
DOWNLOAD = _body("One file", {"artifact_ids": [_FILE_ID]})
SELECTION = _body(
    "A file and a folder",
    {
        "author": "stabilityai",
        "repo": "sdxl-turbo",
        "revision": "main",
        "selection": [
            {"path": "model_index.json", "type": "file"},
            {"path": "vae", "type": "dir"},
        ],
    },
)
INSTALL = _body("Under a name of one's own", {"name": "turbo", "kind": "sdxl-diffusers"})
PATCH = _body("Sync by itself", {"auto_sync": True})
FORGOTTEN = _answer(
    "What it freed", {"forgotten": True, "freed_bytes": 6_940_000_000, "kept_bytes": 0}
)
