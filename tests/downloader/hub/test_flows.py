"""What people come for, from the first call to the last: the nine steps of somebody who browses,
and register, sync, download."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django import Settings
from rest_framework.test import APIClient

from dreamforge_site.accounts.models import User
from tests.downloader.conftest import run_next
from tests.downloader.hub.conftest import FILES, NAME, WEIGHTS
from tests.hubs import Hub

pytestmark = pytest.mark.django_db
WHERE = "author=forge&repo=sketch"
PASSWORD = "a long enough pass phrase"


@pytest.fixture(autouse=True)
def signed_in_only(settings: Settings) -> None:
    settings.AUTH_REQUIRED = True
    cache.clear()


@pytest.fixture
def api(operator: User) -> APIClient:
    """Signed in as a person is: by name and password, then by the token."""
    operator.set_password(PASSWORD)
    operator.save()
    anyone = APIClient()
    login = {"username": operator.username, "password": PASSWORD}
    answer = anyone.post("/v1/auth/login", login, format="json")
    assert answer.status_code == 200, answer.content
    return APIClient(headers={"Authorization": f"Bearer {answer.json()['token']}"})


def got(api: APIClient, address: str, status: int = 200) -> Any:
    answer = api.get(address)
    assert answer.status_code == status, answer.content
    return answer.json()


def posted(api: APIClient, address: str, body: dict[str, Any], status: int = 202) -> Any:
    answer = api.post(address, body, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_somebody_pastes_an_address_selects_files_and_has_them(
    api: APIClient, hub: Hub, upstream: str, models_root: Path
) -> None:
    page = f"{hub.endpoint}/{upstream}/tree/main/unet"
    parsed = posted(api, "/v1/hf/parse-url", {"url": page}, 200)
    assert parsed == {"author": "forge", "repo": "sketch", "revision": "main", "path": "unet"}
    assert got(api, f"/v1/hub/models?{WHERE}")["models"] == []  # it is not here
    assert [ref["name"] for ref in got(api, f"/v1/hf/refs?{WHERE}")["branches"]] == ["main"]

    top = got(api, f"/v1/hf/tree?{WHERE}")["files"]
    assert {entry["path"]: entry["type"] for entry in top} == {
        "README.md": "file",
        "config.json": "file",
        "unet": "dir",
        "vae": "dir",
        "old": "dir",
    }
    below = got(api, f"/v1/hf/tree?{WHERE}&revision=main&path=unet")["files"]
    assert [entry["path"] for entry in below] == ["unet/config.json", "unet/model.safetensors"]
    assert {entry["local"] for entry in below} == {False}

    selection = [{"path": "unet", "type": "dir"}, {"path": "README.md", "type": "file"}]
    wanted = {"author": "forge", "repo": "sketch", "revision": "main", "selection": selection}
    started = posted(api, "/v1/downloads", wanted)
    assert started["status"] == "queued"
    run_next()

    address = f"/v1/downloads/{started['download_id']}"
    shown = got(api, address)
    assert (shown["status"], shown["kind"]) == ("succeeded", "mirror")
    assert shown["progress_pct"] == 100
    assert shown["files"] == {"pending": 0, "downloading": 0, "done": 3, "failed": 0}
    assert "stream" in api.get(f"{address}/stream")["X-Forge-Handoff"]

    below = got(api, f"/v1/hf/tree?{WHERE}&path=unet")["files"]
    assert {entry["local"] for entry in below} == {True}
    assert (models_root / "forge/sketch/main/unet/model.safetensors").stat().st_size == WEIGHTS.size
    again = posted(api, "/v1/downloads", wanted, 409)
    assert again["code"] == "already_downloaded"
    posted(api, "/v1/downloads", {**wanted, "force": True})


def test_registering_makes_a_row(api: APIClient, upstream: str) -> None:
    made = posted(api, "/v1/hub/register", {"source_repo_id": NAME, "auto_sync": True}, 201)
    assert (made["author"], made["repo"], made["revision"]) == ("forge", "sketch", "main")
    assert (made["status"], made["commit"], made["auto_sync"]) == ("registered", "", True)
    assert got(api, "/v1/hub/models")["models"] == [made]
    assert posted(api, "/v1/hub/register", {"source_repo_id": NAME}, 200)["id"] == made["id"]


def test_a_sync_makes_the_rows_that_the_source_has(api: APIClient, upstream: str) -> None:
    repo = posted(api, "/v1/hub/register", {"source_repo_id": NAME}, 201)["id"]
    started = posted(api, "/v1/hub/sync", {"repo_id": repo})
    run_next()
    assert got(api, f"/v1/hub/jobs/{started['job_id']}")["status"] == "succeeded"
    assert got(api, f"/v1/hub/models/{repo}")["status"] == "synced"
    rows = got(api, f"/v1/hub/models/{repo}/files")["files"]
    assert {row["path"] for row in rows} == set(FILES)
    weights = next(row for row in rows if row["path"] == "unet/model.safetensors")
    assert (weights["size_bytes"], weights["type"]) == (WEIGHTS.size, "model")
    assert (weights["status"], weights["local_path"]) == ("pending", None)


def test_a_downloaded_file_is_there_with_the_bytes_of_its_digest(
    api: APIClient, upstream: str, models_root: Path
) -> None:
    repo = posted(api, "/v1/hub/register", {"source_repo_id": NAME}, 201)["id"]
    posted(api, "/v1/hub/sync", {"repo_id": repo})
    run_next()
    wanted = f"/v1/hub/models/{repo}/files?path=vae/&type=model"
    ids = [row["id"] for row in got(api, wanted)["files"]]
    posted(api, "/v1/hub/download", {"artifact_ids": ids})
    run_next()
    (row,) = got(api, wanted)["files"]
    assert (row["status"], row["trust"]) == ("done", "verified")
    content = (models_root / row["local_path"]).read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == row["digest"]
    assert posted(api, "/v1/hub/download", {"artifact_ids": ids}, 409)["code"] == (
        "already_downloaded"
    )
