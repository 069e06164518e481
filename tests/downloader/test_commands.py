"""`manage.py model_download`, `model_verify` and `model_remove`, in this process."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from registry.models import Model
from tests.downloader.conftest import CHECKPOINT
from tests.hubs import Hub

pytestmark = pytest.mark.django_db


def called(name: str, *words: str) -> tuple[str, str]:
    """What it wrote to standard output and to standard error."""
    out, err = StringIO(), StringIO()
    call_command(name, *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refused(name: str, *words: str) -> CommandError:
    with pytest.raises(CommandError) as error:
        called(name, *words)
    return error.value


def test_a_dry_run_shows_the_plan_and_writes_nothing(checkpoint: str, models_root: Path) -> None:
    out, err = called("model_download", checkpoint, "--dry-run")
    assert "xl.safetensors" in out
    assert "README.md" in out
    assert "licence" in err
    assert not Model.objects.exists()
    assert not models_root.exists()


def test_a_dry_run_as_json_names_files_sizes_and_the_folder(checkpoint: str) -> None:
    plan = json.loads(called("model_download", checkpoint, "--dry-run", "--json")[0])
    assert plan["bytes_needed"] == plan["bytes_total"] == CHECKPOINT.size + 5
    assert {file["path"] for file in plan["files"]} == {"README.md", "xl.safetensors"}
    assert plan["source_uri"].startswith(f"{checkpoint}@")


def test_the_id_of_the_model_is_all_that_goes_to_standard_output(checkpoint: str) -> None:
    out, err = called("model_download", checkpoint)
    assert out == f"{Model.objects.get().pk}\n"
    assert "is installed" in err


def test_the_result_as_json_is_the_descriptor(checkpoint: str) -> None:
    told = json.loads(called("model_download", checkpoint, "--json", "--name", "forge")[0])
    assert told["id"] == str(Model.objects.get().pk)
    assert told["name"] == "forge"
    assert told["received_bytes"] == CHECKPOINT.size + 5


def test_a_version_of_ones_own_can_be_given(checkpoint: str) -> None:
    called("model_download", checkpoint, "--version", "v9", "--kind", "other", "--no-enable")
    model = Model.objects.get()
    assert (model.version, model.kind, model.enabled) == ("v9", "other", False)


@pytest.mark.parametrize(
    ("ref", "code"),
    [("hf:", 2), ("hf:forge/xl#nothing-like-it", 3), ("civitai:424242", 3)],
)
def test_what_cannot_be_downloaded_has_its_exit_code(checkpoint: str, ref: str, code: int) -> None:
    assert refused("model_download", ref).returncode == code


def test_a_gated_repository_exits_with_4_and_the_address(hub: Hub, models_root: Path) -> None:
    hub.huggingface.add("forge/gated", {"xl.safetensors": CHECKPOINT}, gated="auto")
    error = refused("model_download", "hf:forge/gated")
    assert error.returncode == 4
    assert f"{hub.endpoint}/forge/gated" in str(error)


def test_no_network_exits_with_5(models_root: Path, settings: Settings) -> None:
    settings.DOWNLOAD_SOURCE_SETTINGS = {"hf": {"endpoint": "http://127.0.0.1:9", "token": ""}}
    assert refused("model_download", "hf:forge/xl").returncode == 5


def test_a_whole_model_verifies(checkpoint: str) -> None:
    called("model_download", checkpoint)
    out, err = called("model_verify", "--all")
    assert out == ""
    assert "0 missing, 0 corrupt" in err


def test_one_missing_and_one_corrupt_file_are_repaired_once(
    checkpoint: str, models_root: Path
) -> None:
    called("model_download", checkpoint)
    folder = Model.objects.get().folder
    (folder / "README.md").unlink()
    (folder / "xl.safetensors").chmod(0o644)
    with (folder / "xl.safetensors").open("r+b") as file:
        file.write(b"damage")
    found = refused("model_verify", "--all", "--json")
    assert found.returncode == 1
    repaired = _json_of_a_failure("model_verify", "--all", "--repair", "--json")
    assert (repaired[0]["missing"], repaired[0]["corrupt"]) == (1, 1)
    assert sorted(repaired[0]["repaired"]) == ["README.md", "xl.safetensors"]
    again = json.loads(called("model_verify", "--all", "--repair", "--json")[0])
    assert (again[0]["missing"], again[0]["corrupt"], again[0]["repaired"]) == (0, 0, [])


def test_fix_enabled_disables_what_differs(checkpoint: str) -> None:
    called("model_download", checkpoint)
    model = Model.objects.get()
    (model.folder / "README.md").unlink()
    refused("model_verify", str(model.pk), "--fix-enabled")
    model.refresh_from_db()
    assert (model.installed, model.enabled) == (False, False)


def test_verify_takes_one_model_or_all(checkpoint: str) -> None:
    assert refused("model_verify").returncode == 2
    assert refused("model_verify", "x", "--all").returncode == 2
    assert refused("model_verify", "nobody-has-this-name").returncode == 3


def test_removing_shows_first_and_frees_then(checkpoint: str) -> None:
    called("model_download", checkpoint, "--name", "forge")
    model = Model.objects.get()
    assert "would free" in called("model_remove", "forge", "--dry-run")[1]
    assert model.folder.exists()
    told = json.loads(called("model_remove", "forge", "--json")[0])
    assert (told["removed"], told["freed_bytes"]) == (True, model.size_bytes)
    assert not Model.objects.exists()
    assert refused("model_remove", "forge").returncode == 3


def _json_of_a_failure(name: str, *words: str) -> Any:
    """What a command printed before it failed."""
    out = StringIO()
    with pytest.raises(CommandError):
        call_command(name, *words, stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def test_an_ambiguous_name_is_wrong_usage(checkpoint: str) -> None:
    called("model_download", checkpoint, "--name", "twin", "--version", "1")
    called("model_download", checkpoint, "--name", "twin", "--version", "2")
    assert refused("model_verify", "twin").returncode == 2
    assert refused("model_remove", "twin").returncode == 2
    assert refused("model_remove", "nobody").returncode == 3


def test_a_model_is_verified_by_the_reference_it_came_by(checkpoint: str) -> None:
    called("model_download", f"{checkpoint}#xl.safetensors", "--name", "forge")
    pinned = Model.objects.get().source_uri
    own = (checkpoint, f"{checkpoint}@main", f"{checkpoint}#xl.safetensors", pinned)
    others = ("hf:forge/other", f"{checkpoint}@{'0' * 40}", f"{checkpoint}#README.md")
    assert ["forge" in called("model_verify", ref)[1] for ref in own] == [True] * 4
    assert [refused("model_verify", ref).returncode for ref in others] == [3] * 3


def test_the_result_as_json_says_whether_jobs_may_use_it(checkpoint: str) -> None:
    told = json.loads(called("model_download", checkpoint, "--json")[0])
    assert told["enabled"] is True


def test_a_damaged_descriptor_beside_it_does_not_keep_a_model_from_going(
    checkpoint: str, models_root: Path
) -> None:
    called("model_download", checkpoint, "--name", "forge")
    (models_root / "lora" / "deep@1").mkdir(parents=True)
    (models_root / "lora" / "deep@1" / "model.json").write_text("[" * 100_000)
    called("model_remove", "forge")
    assert not Model.objects.exists()
