"""The same work from a POST to the stored image: web, queue, worker, runner."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.drawing.work import Work
from benchmarks.service import Service

REPO = "forge/tiny-xl"
WAIT_S = 120


class Door:
    def __init__(self, service: Service) -> None:
        self._service = service

    def draw(self, work: Work) -> None:
        """Answered when the image is there. RuntimeError: it is not."""
        body = {
            "type": "generate",
            "prompt": work.prompt,
            "negative_prompt": work.negative_prompt,
            "width": work.side,
            "height": work.side,
            "steps": work.steps,
            "guidance": work.guidance,
            "scheduler": work.scheduler,
            "seed": work.first_seed,
            "embed_metadata": False,
        }
        job = self._posted(f"/v1/jobs?wait={WAIT_S}", body)["job"]
        if job["status"] != "succeeded":
            raise RuntimeError(f"the job {job['status']}: {job['error_message']}")

    def _posted(self, path: str, body: dict[str, Any]) -> Any:
        headers = {**self._service.headers, "Content-Type": "application/json"}
        address = f"http://127.0.0.1:{self._service.port}{path}"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=WAIT_S + 30) as answer:  # noqa: S310  ours
            return json.load(answer)


@contextmanager
def serving(folder: Path) -> Iterator[Door]:
    """The service on SQLite, with the model of `folder` installed; nothing is loaded yet."""
    from tests import hubs

    files = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    with hubs.running() as hub:
        hub.huggingface.add(REPO, files)
        settings = {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HUB_OFFLINE": "0",  # only engines are offline
            "DF_RUNNER": "sdxl",
            "DF_MIN_FREE_BYTES": "0",
        }
        with Service("sqlite", **settings) as service:
            service.manage("model_download", f"hf:{REPO}", "--enable")
            service.start("worker", "--queue=gpu")
            service.start_web(1)
            yield Door(service)
