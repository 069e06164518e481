"""Scanning, rescanning, marking and verifying over HTTP."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from downloader import configured
from downloader.hub import registering
from downloader.hub.models import Repo
from dreamforge_site.accounts.models import User
from jobs.models import Job
from tests.callers import client_of
from tests.downloader.conftest import run_next
from tests.downloader.hub.conftest import mirror
from tests.downloader.hub.disk import put
from tests.downloader.hub.test_scrubbing import blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_in_is_needed")]

CALLS = ("rescan", "verify", "mark-missing")


@pytest.fixture
def api(operator: User) -> APIClient:
    return client_of(operator)


@pytest.fixture
def stranger(mira: User) -> APIClient:
    return client_of(mira)


@pytest.fixture
def mirrored(synced: Repo) -> Repo:
    assert mirror(synced).status == "succeeded"
    return registering.get(synced.pk)


def post(api: APIClient, path: str, body: dict[str, Any] | None = None, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return api.post(f"/v1/hub/{path}", body or {}, format="json", headers=headers)


def test_a_scan_is_queued_and_does_what_it_says(api: APIClient, models_root: Path) -> None:
    put(models_root, {"acme/xl/config.json": "{}"})
    answer = post(api, "scan", {"path": "acme"})
    assert answer.status_code == 202
    job = Job.objects.get()
    assert answer.json() == {
        "job_id": str(job.pk),
        "status": "queued",
        "message": "The scan is queued.",
    }
    assert answer["Location"] == f"/v1/downloads/{job.pk}"
    assert run_next().summary["repos"] == ["acme/xl@main"]


@pytest.mark.parametrize("path", ["../x", "/etc", ".staging", "blobs", "a/../../b", "x\x00y"])
def test_a_path_outside_the_store_is_refused_with_422(
    api: APIClient, models_root: Path, path: str
) -> None:
    answer = post(api, "scan", {"path": path})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert "path" in answer.json()["details"]["fields"]
    assert not Job.objects.exists()


def test_a_scan_takes_no_other_field(api: APIClient, models_root: Path) -> None:
    answer = post(api, "scan", {"repo_id": str(uuid.uuid4())})
    assert answer.status_code == 422


def test_the_same_key_scans_once(api: APIClient, models_root: Path) -> None:
    first = post(api, "scan", key="one")
    again = post(api, "scan", key="one")
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 1


def test_a_rescan_compares_with_the_disk(api: APIClient, mirrored: Repo, models_root: Path) -> None:
    (models_root / "forge/sketch/main/config.json").unlink()
    assert post(api, f"models/{mirrored.pk}/rescan").status_code == 202
    assert run_next().summary["relinked"] == 1


def test_a_verification_takes_repair(api: APIClient, mirrored: Repo) -> None:
    answer = post(api, f"models/{mirrored.pk}/verify", {"repair": True})
    assert answer.status_code == 202
    job = Job.objects.get(pk=answer.json()["job_id"])
    assert (job.type, job.params) == (
        "hub_verify",
        {"repo_id": str(mirrored.pk), "repair": True},
    )


def test_what_is_missing_is_marked_at_once(api: APIClient, mirrored: Repo) -> None:
    blob().unlink()
    answer = post(api, f"models/{mirrored.pk}/mark-missing")
    path = f"{mirrored.commit[:12]}/unet/model.safetensors"
    assert (answer.status_code, answer.json()) == (200, {"missing": 1, "missing_paths": [path]})
    assert not registering.get(mirrored.pk).is_downloaded
    assert configured.store().root.exists()


@pytest.mark.parametrize("call", CALLS)
def test_a_repository_that_is_not_there_is_404(
    api: APIClient, call: str, models_root: Path
) -> None:
    answer = post(api, f"models/{uuid.uuid4()}/{call}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("call", CALLS)
def test_each_call_needs_its_permission(stranger: APIClient, call: str, repo: Repo) -> None:
    answer = post(stranger, f"models/{repo.pk}/{call}")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_scan_needs_its_permission(stranger: APIClient, models_root: Path) -> None:
    assert post(stranger, "scan").status_code == 403
    allowed = User.objects.get(username="mira")
    allowed.user_permissions.add(Permission.objects.get(codename="add_download"))
    assert post(client_of(allowed), "scan").status_code == 202


def test_a_caller_who_is_nobody_is_401(models_root: Path, db: None) -> None:
    assert post(APIClient(), "scan").status_code == 401
