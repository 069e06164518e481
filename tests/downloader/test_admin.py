"""Downloads in the admin, as people with different rights see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from dreamforge_site.accounts.models import User
from jobs.models import Job
from registry.models import Model
from registry.parameters import defaults_of
from tests.callers import staff
from tests.downloader.conftest import CHECKPOINT, downloaded, run_next
from tests.hubs import Hub

pytestmark = pytest.mark.django_db

LIST = "/admin/downloader/download/"
START = f"{LIST}start/"
HOSTILE = "<script>alert(1)</script>{{7*7}}"


@pytest.fixture
def downloader(db: None) -> Client:
    return staff("downloader", "downloaders")


@pytest.fixture
def viewer(db: None) -> Client:
    return staff("viewer", "viewers")


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_look_shows_files_sizes_and_the_pinned_commit(
    downloader: Client, checkpoint: str
) -> None:
    page = text(downloader.post(START, {"ref": checkpoint, "_look": "1"}))
    assert "xl.safetensors" in page
    assert f"{checkpoint}@" in page
    assert 'name="_start"' in page
    assert not Job.objects.exists()


def test_after_the_look_the_download_is_started_in_ones_own_name(
    downloader: Client, checkpoint: str
) -> None:
    answer = downloader.post(START, {"ref": checkpoint, "name": "forge", "_start": "1"})
    job = Job.objects.get()
    assert answer["Location"] == f"/admin/jobs/job/{job.pk}/change/"
    assert job.params == {"ref": checkpoint, "name": "forge", "enable": False, "force": False}
    assert job.owner == User.objects.get(username="downloader")
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (job.owner, str(job.pk))
    told = f"download started: ref: {checkpoint}; name: forge; enable: no."
    assert entry.change_message == told


def test_of_a_pasted_address_no_secret_is_kept_or_shown(
    downloader: Client, hub: Hub, checkpoint: str
) -> None:
    address = f"{hub.endpoint}/forge/xl?token=s3cret"
    answer = downloader.post(START, {"ref": address, "_start": "1"}, follow=True)
    assert Job.objects.get().params["ref"] == checkpoint
    assert "s3cret" not in text(answer)


@pytest.mark.parametrize("ref", ["hf:", HOSTILE, "file:/etc/passwd", ""])
def test_what_is_no_reference_is_told_at_the_field(
    downloader: Client, models_root: None, ref: str
) -> None:
    page = text(downloader.post(START, {"ref": ref, "_start": "1"}))
    assert HOSTILE not in page
    assert 'name="_start"' not in page
    assert not Job.objects.exists()


def test_gated_files_name_the_page_to_visit(
    downloader: Client, hub: Hub, models_root: None
) -> None:
    hub.huggingface.add("forge/hidden", {"xl.safetensors": CHECKPOINT}, private=True)
    page = text(downloader.post(START, {"ref": "hf:forge/hidden", "_look": "1"}))
    assert "HF_TOKEN" in page


def test_a_viewer_sees_downloads_and_no_button(
    viewer: Client, operator: User, checkpoint: str
) -> None:
    downloaded(checkpoint, operator)
    page = text(viewer.get(LIST))
    assert "forge/xl" in page
    assert "Download a model" not in page
    assert viewer.get(START).status_code == 403
    assert viewer.post(START, {"ref": checkpoint, "_start": "1"}).status_code == 403


def test_a_downloader_has_the_button(downloader: Client) -> None:
    assert "Download a model" in text(downloader.get(LIST))
    assert downloader.get(f"{LIST}begin").status_code in (301, 302)


def test_a_page_shows_each_file_and_leads_to_model_and_job(
    viewer: Client, operator: User, checkpoint: str
) -> None:
    job = downloaded(checkpoint, operator)
    page = text(viewer.get(f"{LIST}{job.pk}/change/"))
    assert "xl.safetensors" in page
    assert f"/admin/jobs/job/{job.pk}/change/" in page
    assert f"/admin/registry/model/{job.summary['model_id']}/change/" in page


@pytest.fixture
def operator_client(db: None) -> Client:
    return staff("boss", "operators")


@pytest.fixture
def installed(checkpoint: str) -> Model:
    downloaded(checkpoint)
    return Model.objects.get()


def pages(model: Model) -> dict[str, str]:
    below = f"/admin/downloader/download/models/{model.pk}"
    return {
        "model": f"/admin/registry/model/{model.pk}/change/",
        "defaults": f"/admin/registry/model/{model.pk}/defaults/",
        "verify": f"{below}/verify/",
        "remove": f"{below}/remove/",
    }


def test_a_model_is_verified_from_its_page(operator_client: Client, installed: Model) -> None:
    assert pages(installed)["verify"] in text(operator_client.get(pages(installed)["model"]))
    operator_client.post(pages(installed)["verify"], {"repair": "1"})
    job = run_next()
    assert (job.type, job.status) == ("verify", "succeeded")
    assert job.params == {"model_id": str(installed.pk), "repair": True}


def test_what_a_removal_frees_is_shown_before_it_is_done(
    operator_client: Client, installed: Model
) -> None:
    shown = text(operator_client.get(pages(installed)["remove"]))
    assert "2.9" in shown  # MB
    assert Model.objects.exists()
    assert operator_client.post(pages(installed)["remove"]).status_code == 302
    assert not Model.objects.exists()


def test_a_model_gets_its_own_defaults_from_its_page(
    operator_client: Client, installed: Model
) -> None:
    assert 'name="steps"' in text(operator_client.get(pages(installed)["model"]))
    given = {"steps": "24", "guidance": "5.5", "scheduler": "euler", "negative_prompt": "dark"}
    operator_client.post(pages(installed)["defaults"], given)
    installed.refresh_from_db()
    assert defaults_of(installed.parameters_schema) == {
        "negative_prompt": "dark",
        "width": 1024,
        "height": 1024,
        "steps": 24,
        "guidance": 5.5,
        "scheduler": "euler",
    }
    operator_client.post(pages(installed)["defaults"], {"steps": "many"})
    installed.refresh_from_db()
    assert defaults_of(installed.parameters_schema)["steps"] == 24


def test_who_only_looks_is_offered_no_button_and_refused_the_deed(
    viewer: Client, installed: Model
) -> None:
    page = text(viewer.get(pages(installed)["model"]))
    offered = [name for name in ("defaults", "verify", "remove") if pages(installed)[name] in page]
    assert offered == []
    assert viewer.post(pages(installed)["defaults"], {"steps": "1"}).status_code == 403
    assert viewer.get(pages(installed)["remove"]).status_code == 403
    viewer.post(pages(installed)["verify"])
    assert Job.objects.filter(type="verify").count() == 0
