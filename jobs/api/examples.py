"""The examples that the OpenAPI document shows for jobs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
_ID = "3f1c2f3e-8a54-4d0b-9f0e-5b7b6d0f3a11"
_CREATED_AT = "2026-11-20T09:00:00.000000Z"
_STARTED_AT = "2026-11-20T09:00:00.041210Z"
_LINE = (
    '{"job_id":"3f1c2f3e-8a54-4d0b-9f0e-5b7b6d0f3a11","seq":4,"ts":"2026-11-20T09:00:00.052000Z",'
    '"level":"info","code":"progress","message":"","item_index":0,"progress":0.25,"overall":0.25,'
    '"stage":"run"}'
)
_SUMMARY: dict[str, Any] = {
    "id": _ID,
    "type": "selftest",
    "status": "running",
    "queue": "io",
    "priority": 0,
    "created_at": _CREATED_AT,
    "updated_at": "2026-11-20T09:00:00.052000Z",
    "started_at": _STARTED_AT,
    "finished_at": None,
    "attempts": 1,
    "max_attempts": 3,
    "progress": 0.25,
    "summary": {"count": 1, "completed": 0},
    "error_code": "",
    "error_message": "",
}


def _answer(
    name: str, value: Any, status: str = "200", media_type: str = "application/json"
) -> OpenApiExample:
    return OpenApiExample(
        name, value=value, response_only=True, status_codes=[status], media_type=media_type
    )


CREATE = OpenApiExample(
    "A self-test", value={"type": "selftest", "items": 2, "ticks": 4}, request_only=True
)
CREATED = _answer(
    "The job",
    {"job": {"id": _ID, "status": "queued", "type": "selftest", "created_at": _CREATED_AT}},
    "202",
)
SUMMARY = _answer("A running job", _SUMMARY)
_JOB: dict[str, Any] = {
    **_SUMMARY,
    "params": {"items": 1, "ticks": 4, "tick_ms": 0},
    "model": None,
    "steps": [{"name": "run", "status": "running", "started_at": _STARTED_AT, "finished_at": None}],
    "place": None,
    "owner_id": "0b7e7f1a-6a1b-4a53-9a3a-2f4d9a0c1e55",
    "requeued_from": None,
    "request_id": "9b1d0c5e7f3a4d2b8c6e0f1a2b3c4d5e",
}
_FINISHED_AT = "2026-11-20T09:00:00.093000Z"
JOB = _answer("A running job", _JOB)
FINISHED = _answer(
    "The job, which was waited for",
    {
        "job": {
            **_JOB,
            "status": "succeeded",
            "progress": 1.0,
            "summary": {"count": 1, "completed": 1},
            "updated_at": _FINISHED_AT,
            "finished_at": _FINISHED_AT,
            "steps": [
                {
                    "name": "run",
                    "status": "succeeded",
                    "started_at": _STARTED_AT,
                    "finished_at": _FINISHED_AT,
                }
            ],
        }
    },
)
REQUEUE = OpenApiExample("With fewer items", value={"params": {"items": 1}}, request_only=True)
REQUEUE_DEAD = OpenApiExample(
    "The oldest ten", value={"type": "selftest", "limit": 10}, request_only=True
)
REQUEUED = _answer(
    "One ran, one cannot",
    {
        "requeued": [
            {
                "id": _ID,
                "job": {
                    "id": "8d4c1f0a-6f6e-4b3c-9a55-0c6f3b1c2d4e",
                    "status": "queued",
                    "type": "selftest",
                    "created_at": _CREATED_AT,
                },
            }
        ],
        "refused": [
            {
                "id": "0b2f7a52-5a3d-4f57-b1f2-2f4b8d9e6c10",
                "code": "invalid_input",
                "message": "There is no job type 'render'; known: selftest.",
            }
        ],
    },
)
PROGRESS = _answer(
    "A quarter done",
    {
        "progress": 0.25,
        "status": "running",
        "items": [{"item_index": 0, "progress": 0.25}],
        "stages": [{"name": "run", "weight": 1.0, "progress": 0.25}],
    },
)
LOG = _answer("One line", _LINE + "\n", media_type=NDJSON)
STREAM = _answer("One event", f"id: 4\nevent: progress\ndata: {_LINE}\n\n", media_type=SSE)
QUEUES = _answer(
    "Two queues",
    {
        "queues": [
            {
                "name": "gpu",
                "paused": False,
                "reason": "",
                "depth": 3,
                "running": 1,
                "workers": [
                    {
                        "id": "gpu@forge/412/2210/a1b2c3d4",
                        "slots": 1,
                        "devices": ["0"],
                        "device_facts": {
                            "0": {
                                "label": "NVIDIA H100 80GB HBM3",
                                "total": 85_520_809_984,
                                "used": 13_958_643_712,
                                "peak": 12_884_901_888,
                            }
                        },
                        "warm_models": ["0190e5a4-7d2b-7c6e-9a51-3f0d2c9e8b11"],
                        "stopping": False,
                        "started_at": "2026-11-21T06:51:00Z",
                        "seen_at": "2026-11-21T15:49:07Z",
                    }
                ],
            },
            {
                "name": "io",
                "paused": True,
                "reason": "disk",
                "depth": 0,
                "running": 0,
                "workers": [],
            },
        ]
    },
)
PAUSE = OpenApiExample("With a reason", value={"reason": "New disk"}, request_only=True)
