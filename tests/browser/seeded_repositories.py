"""Tracked repositories of the busy site, for `seeding`: what an attacker would call his files."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.browser.seeding import BACKWARDS, ENDLESS, FACES, HOSTILE, MARKUP, id_of

COMMIT = "c0" * 20
HOSTILE_REPO = "repo hostile"


def sow(now: datetime) -> None:
    from downloader.hub.models import Repo

    Repo.objects.create(author="forge", name="vanished", revision="main", gone_at=now)
    Repo.objects.create(author="forge", name="moved-on", revision="main", update_commit="d1" * 20)
    _filled(_hostile(now), _hostile_files())
    _filled(_whole(now), [_file("model.safetensors", "done"), _file("README.md", "done")])


def _hostile(now: datetime) -> Any:
    from downloader.hub.models import Repo

    return Repo.objects.create(
        id=id_of(HOSTILE_REPO),
        author=MARKUP[:96],
        name=f"{BACKWARDS} {FACES} {ENDLESS}"[:96],
        revision=f"{MARKUP}{ENDLESS}"[:512],
        status="error",
        error_code="internal",
        error_message=HOSTILE,
        licence=f"{BACKWARDS}{ENDLESS}"[:200],
        page="javascript:document.title='taken'",
        update_commit="d1" * 20,
        update={"added": 3, "changed": 1, "removed": 0, "bytes_to_fetch": 900_000_000},
        gone_at=now,
        synced_at=now - timedelta(hours=3),
        checked_at=now,
        created_at=now - timedelta(days=2),
    )


def _whole(now: datetime) -> Any:
    from downloader.hub.models import Repo

    return Repo.objects.create(
        id=id_of("repo whole"),
        author="forge",
        name="painter-xl",
        revision="main",
        status="synced",
        licence="openrail++",
        page="https://huggingface.co/forge/painter-xl",
        is_downloaded=True,
        synced_at=now,
        created_at=now - timedelta(days=3),
    )


def _hostile_files() -> list[dict[str, Any]]:
    return [
        _file(f"unet/{MARKUP}{ENDLESS[:800]}.safetensors", "done"),
        _file(f"{BACKWARDS}/{FACES}.safetensors", "failed", error=HOSTILE[:300]),
        _file(f"{ENDLESS[:1000]}.bin", "pending", barred=f"not allowed here: {MARKUP}"),
        _file(f"vae/{FACES}.safetensors", "pending", size_bytes=None),
    ]


def _file(path: str, status: str, **facts: Any) -> dict[str, Any]:
    digest = "ab" * 32 if status == "done" else ""
    return {"path": path, "status": status, "size_bytes": 6_900_000, "sha256": digest, **facts}


def _filled(repo: Any, files: list[dict[str, Any]]) -> None:
    from downloader.hub.models import RepoFile, Snapshot

    here = [file for file in files if file["status"] == "done"]
    snapshot = Snapshot.objects.create(
        repo=repo,
        commit=COMMIT,
        folder=f"{repo.author}/{repo.name}/{repo.revision}",
        file_count=len(files),
        size_bytes=sum(file["size_bytes"] or 0 for file in files),
        done_count=len(here),
        done_bytes=sum(file["size_bytes"] for file in here),
    )
    RepoFile.objects.bulk_create([RepoFile(snapshot=snapshot, **file) for file in files])
    repo.snapshot = snapshot
    repo.save(update_fields=["snapshot"])
