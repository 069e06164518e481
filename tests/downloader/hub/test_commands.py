"""The hub at a terminal, without a worker and without the web."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from downloader.hub import registering
from downloader.hub.models import Repo
from jobs.models import Job
from registry.models import Model
from tests.downloader.hub.conftest import FILES, NAME
from tests.hubs import Hub

# Another thread keeps the job alive, with a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)


def called(name: str, *words: str) -> tuple[str, str]:
    """What it wrote to standard output and to standard error."""
    out, err = StringIO(), StringIO()
    call_command(name, *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refused(name: str, *words: str) -> CommandError:
    with pytest.raises(CommandError) as error:
        called(name, *words)
    return error.value


def test_a_repository_is_registered_synced_listed_downloaded_and_installed(
    hub: Hub, upstream: str, models_root: Path
) -> None:
    repo_id = called("hub_register", NAME)[0].strip()
    repo = Repo.objects.get()
    assert str(repo.pk) == repo_id
    assert called("hub_sync", NAME)[0].strip() == registering.get(repo_id).commit
    assert NAME in called("hub_list")[0]
    assert "unet/model.safetensors" in called("hub_list", NAME)[0]
    out, err = called("hub_download", NAME, "unet/", "vae/")
    assert out == "forge/sketch/main\n"
    assert "3 files" in err
    assert (models_root / "forge/sketch/main/vae/model.safetensors").exists()
    hub.unplug()
    out, err = called("hub_install", NAME, "--path", "unet/model.safetensors", "--name", "mine")
    assert out.strip() == str(Model.objects.get(name="mine").pk)
    assert set(Job.objects.values_list("status", flat=True)) == {"succeeded"}


def test_results_as_json_are_json_alone(upstream: str) -> None:
    made = json.loads(called("hub_register", NAME, "--auto-sync", "--json")[0])
    assert (made["repo"], made["auto_sync"], made["is_new"]) == ("sketch", True, True)
    synced = json.loads(called("hub_sync", NAME, "--json")[0])
    assert (synced["status"], synced["changes"]["files"]) == ("synced", len(FILES))
    fetched = json.loads(called("hub_download", NAME, "unet/", "--json")[0])
    assert fetched["files"] == 2
    assert len(json.loads(called("hub_list", "--json")[0])) == 1
    files = json.loads(called("hub_list", NAME, "--json")[0])
    assert next(file["path"] for file in files if file["local_path"]) == "README.md"
    named = ("--path", "unet/model.safetensors", "--version", "v2")
    model = json.loads(called("hub_install", NAME, *named, "--json")[0])
    assert (model["version"], model["bytes_received"]) == ("v2", 0)


def test_downloading_registers_and_syncs_by_itself(upstream: str, models_root: Path) -> None:
    called("hub_download", f"{NAME}@main")
    assert Repo.objects.get().is_downloaded
    out, err = called("hub_download", NAME)
    assert (out, "here already" in err) == ("", True)
    assert called("hub_download", NAME, "--force")[0]


def test_a_file_that_came_after_the_last_sync_is_found(hub: Hub, upstream: str) -> None:
    called("hub_download", NAME, "config.json")
    hub.huggingface[NAME].commit({**FILES, "new.json": "{}"})
    assert called("hub_download", NAME, "new.json")[0]


def test_what_goes_wrong_has_its_exit_code(hub: Hub, upstream: str) -> None:
    assert refused("hub_register", "not a name").returncode == 2
    assert refused("hub_register", f"{NAME}@v1", "--revision", "v2").returncode == 2
    assert refused("hub_sync", "forge/other").returncode == 3
    called("hub_register", NAME)
    called("hub_sync", NAME)
    called("hub_register", "forge/absent")
    hub.huggingface.add("forge/gated", {"a.safetensors": b"x"}, gated="auto")
    gated = refused("hub_download", "forge/gated", "a.safetensors")
    assert (gated.returncode, "forge/gated" in str(gated)) == (4, True)
    assert refused("hub_sync", "forge/absent").returncode in (3, 4)
    assert refused("hub_download", NAME, "no-such-file").returncode == 3
    hub.unplug()


def test_an_unknown_repository_by_id_is_not_found(db: None) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    assert refused("hub_sync", unknown).returncode == 3
    assert refused("hub_download", unknown).returncode == 3
