"""What the tests of scanning share: files on the disk, and jobs that look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from downloader.hub.models import Repo
from jobs import submission
from jobs.models import Job
from tests.downloader.conftest import run_next
from tests.hubs.content import Content


def put(root: Path, files: dict[str, Content | str | bytes]) -> None:
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data(content))


def data(content: Content | str | bytes) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return content if isinstance(content, bytes) else content.read()


def run(type_name: str, **params: Any) -> Job:
    submission.submit(type_name, params, None)
    return run_next()


def scan(path: str | None = None) -> dict[str, Any]:
    job = run("scan", **({"path": path} if path else {}))
    assert job.status == "succeeded", job.error_message
    return dict(job.summary)


def rescan(repo: Repo) -> dict[str, Any]:
    job = run("scan", repo_id=str(repo.pk))
    assert job.status == "succeeded", job.error_message
    return dict(job.summary)


def states(repo: Repo) -> dict[str, tuple[str, str]]:
    assert repo.snapshot
    rows = repo.snapshot.files.values_list("path", "status", "trust")
    return {path: (status, trust) for path, status, trust in rows}
