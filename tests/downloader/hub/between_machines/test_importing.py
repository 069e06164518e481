"""A bundle on another machine: what it brings, and what is refused."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from downloader import configured
from downloader.hub import bundle_keys, bundling, importing, registering
from downloader.hub.models import Repo, Snapshot
from downloader.library.bundles import MANIFEST, SIGNATURE, blob_name, bringing
from downloader.library.errors import Canceled
from downloader.library.watch import Control, Observer
from registry.models import Model
from tests.downloader.hub.between_machines.machines import (
    Machine,
    StopAfter,
    called,
    flip,
    imported,
    move_to,
    nothing_is_shown,
    refused,
)
from tests.downloader.hub.conftest import FILES, NAME, WEIGHTS, mirror, sync
from tests.hubs import Hub, models

pytestmark = pytest.mark.django_db


def test_a_bundle_makes_models_and_repositories_of_another_machine(
    bundle: Path, key: str, far: Machine, settings: Settings, hub: Hub, model: Model, whole: Repo
) -> None:
    before = (model.name, model.version, model.files_json, model.source_uri, model.enabled)
    commit = whole.commit
    move_to(far, settings, hub)
    told = imported(bundle, key)
    assert told["copied_blobs"] > 0
    here = Model.objects.get()
    assert (here.name, here.version, here.files_json, here.source_uri, here.enabled) == before
    repo = Repo.objects.select_related("snapshot").get()
    assert (str(repo), repo.commit, repo.status) == (f"{NAME}@main", commit, "synced")
    assert repo.is_downloaded
    shown = far.root / "forge/sketch/main"
    assert (shown / "unet/model.safetensors").stat().st_size == WEIGHTS.size
    assert (shown / "config.json").read_text() == FILES["config.json"]
    called("model_verify", "--all")


def test_files_that_were_listed_and_not_there_are_listed_here_too(
    synced: Repo, key: str, far: Machine, settings: Settings, hub: Hub, tmp_path: Path
) -> None:
    called("hub_export", NAME, "--to", tmp_path / "usb")
    move_to(far, settings, hub)
    imported(tmp_path / "usb", key)
    snapshot = Snapshot.objects.get()
    assert snapshot.files.get(path="unet/model.safetensors").status == "pending"
    assert snapshot.files.get(path="README.md").status == "done"
    assert "pickle" in snapshot.files.get(path="old/weights.bin").barred
    assert not Repo.objects.get().is_downloaded


def test_importing_twice_changes_nothing(
    bundle: Path, key: str, far: Machine, settings: Settings, hub: Hub
) -> None:
    move_to(far, settings, hub)
    imported(bundle, key)
    before = {path: path.lstat().st_mtime_ns for path in far.root.glob("*/*/*")}
    rows = list(Repo.objects.values("id", "snapshot", "synced_at"))
    told = imported(bundle, key)
    assert told["copied_blobs"] == 0
    assert {path: path.lstat().st_mtime_ns for path in far.root.glob("*/*/*")} == before
    assert list(Repo.objects.values("id", "snapshot", "synced_at")) == rows


def test_an_unknown_key_is_refused_with_what_to_do_and_trusted_from_then_on(
    bundle: Path, key: str, far: Machine, settings: Settings, hub: Hub
) -> None:
    move_to(far, settings, hub)
    error = refused("hub_import", bundle)
    assert f"--trust {key}" in str(error)
    assert error.returncode == 1
    assert nothing_is_shown(far)
    called("hub_import", bundle, "--trust", key)
    called("hub_import", bundle)
    assert Model.objects.exists()


def test_our_own_bundles_need_no_trust(bundle: Path) -> None:
    called("hub_import", bundle)


def place_of(bundle: Path, name: str) -> tuple[Path, int]:
    """The file, and where in it the member begins."""
    if bundle.is_dir():
        return bundle / name, 0
    with tarfile.open(bundle) as archive:
        return bundle, archive.getmember(name).offset_data


def test_a_byte_that_was_changed_is_found_and_named_and_nothing_is_installed(
    bundle: Path, key: str, far: Machine, settings: Settings, hub: Hub, model: Model
) -> None:
    weights = next(file for file in model.files if file.path.endswith(".safetensors"))
    path, start = place_of(bundle, blob_name(weights.sha256))
    path.chmod(0o644)
    flip(path, start + weights.size // 2)
    move_to(far, settings, hub)
    error = refused("hub_import", bundle, "--trust", key)
    assert "xl.safetensors" in str(error)
    assert nothing_is_shown(far)
    assert not Model.objects.exists()
    assert not Repo.objects.exists()
    flip(path, start + weights.size // 2)
    called("hub_import", bundle)
    assert Model.objects.exists()


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_a_manifest_or_signature_that_was_changed_is_refused(
    bundle: Path, key: str, far: Machine, settings: Settings, hub: Hub, name: str
) -> None:
    path, start = place_of(bundle, name)
    flip(path, start + 150)
    move_to(far, settings, hub)
    refused("hub_import", bundle, "--trust", key)
    assert nothing_is_shown(far)
    assert not Model.objects.exists()


def test_an_import_that_was_stopped_goes_on_where_it_ended(
    bundle: Path,
    key: str,
    far: Machine,
    settings: Settings,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    move_to(far, settings, hub)
    bundle_keys.trust(key)
    control = Control()
    with pytest.raises(Canceled):
        importing.take(bundle, control, StopAfter(control, 3))
    assert nothing_is_shown(far)
    assert not Model.objects.exists()
    written = sum(blob.stat().st_blocks for blob in far.root.glob("blobs/sha256/*/*"))
    assert written
    done = len(list(far.root.glob("blobs/sha256/*/*")))
    total = len(importing.look(bundle, Control()).blobs)
    assert importing.take(bundle, Control(), Observer()).copied_blobs == total - done


def test_a_partial_file_that_was_damaged_meanwhile_is_begun_again(
    bundle: Path, key: str, far: Machine, settings: Settings, hub: Hub, model: Model
) -> None:
    sha256 = max(model.files, key=lambda file: file.size).sha256
    move_to(far, settings, hub)
    store = configured.store()
    part = store.target(f"bundle:{sha256}").part
    part.write_bytes(b"rubbish" * 1000)
    imported(bundle, key)
    assert Model.objects.get().files_json == model.files_json
    called("model_verify", "--all")


def test_a_delta_holds_only_what_the_other_side_lacks(
    whole: Repo, key: str, far: Machine, near: Machine, settings: Settings, hub: Hub, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second.tar"
    called("hub_export", NAME, "--to", first)
    new = models.sdxl_checkpoint(size=410_000, seed=9)
    hub.huggingface[NAME].commit({"unet/model.safetensors": new})
    run = registering.get(whole.pk)
    assert sync(run).status == "succeeded"
    assert mirror(run).status == "succeeded"
    commit = registering.get(whole.pk).commit
    told = json.loads(
        called("hub_export", NAME, "--to", second, "--since", first / MANIFEST, "--json")[0]
    )
    assert (told["blobs"], told["bytes"]) == (1, new.size)
    move_to(far, settings, hub)
    error = refused("hub_import", second, "--trust", key)
    assert error.returncode == 3
    assert "--inventory" in str(error)
    assert nothing_is_shown(far)
    called("hub_import", first)
    old = Repo.objects.select_related("snapshot").get().commit
    called("hub_import", second)
    repo = Repo.objects.select_related("snapshot").get()
    assert repo.commit == commit
    shown = far.root / "forge/sketch"
    assert (shown / "main/unet/model.safetensors").stat().st_size == new.size
    assert (shown / old / "unet/model.safetensors").stat().st_size == WEIGHTS.size
    assert repo.snapshots.get(commit=old).folder == f"forge/sketch/{old}"


def test_the_inventory_of_a_machine_is_what_it_does_not_need(
    whole: Repo, model: Model, tmp_path: Path
) -> None:
    inventory = tmp_path / "inventory.json"
    inventory.write_text(called("hub_export", "--inventory")[0])
    told = json.loads(called("hub_export", "--all", "--dry-run", "--json", "--since", inventory)[0])
    assert (told["blobs"], told["bytes"]) == (0, 0)
    assert told["left_out"] > 0


def test_an_older_state_of_a_branch_does_not_turn_it_back(
    bundle: Path, key: str, settings: Settings, hub: Hub, whole: Repo
) -> None:
    hub.huggingface[NAME].commit({"config.json": "{}"})
    sync(whole)
    newest = registering.get(whole.pk).commit
    imported(bundle, key)
    assert registering.get(whole.pk).commit == newest
    pinned = registering.named(f"{NAME}@{whole.commit}")
    assert pinned.commit == whole.commit
    assert pinned.is_downloaded


def test_other_content_under_the_same_name_is_not_replaced(
    bundle: Path, key: str, far: Machine, settings: Settings, hub: Hub, model: Model
) -> None:
    folder = model.local_path
    move_to(far, settings, hub)
    imported(bundle, key)
    told = json.loads((far.root / folder / "model.json").read_text())
    told["files_json"][0]["sha256"] = "0" * 64
    (far.root / folder / "model.json").chmod(0o644)
    (far.root / folder / "model.json").write_text(json.dumps(told))
    error = refused("hub_import", bundle)
    assert "Other content" in str(error)


def test_what_the_policy_here_bars_is_not_imported(
    upstream: str,
    key: str,
    far: Machine,
    settings: Settings,
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DOWNLOAD_ALLOW_PICKLE = True
    repo, _ = registering.register(NAME)
    assert mirror(repo, "old/weights.bin").status == "succeeded"
    called("hub_export", NAME, "--to", tmp_path / "usb")
    move_to(far, settings, hub)
    settings.DOWNLOAD_ALLOW_PICKLE = False
    copied: list[str] = []
    monkeypatch.setattr(bringing, "_copy", lambda _taking, _claim, sha, _size: copied.append(sha))
    error = refused("hub_import", tmp_path / "usb", "--trust", key)
    assert "pickle" in str(error)
    assert "old/weights.bin" in str(error)
    assert copied == []


def test_a_full_disk_is_told_of_before_a_byte_is_copied(
    bundle: Path,
    key: str,
    far: Machine,
    settings: Settings,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    move_to(far, settings, hub)
    monkeypatch.setattr(bringing, "RESERVE_BYTES", 1 << 60)
    error = refused("hub_import", bundle, "--trust", key)
    assert error.returncode == 6
    assert not list(far.root.glob("blobs/sha256/*/*"))


def test_a_pickle_under_another_name_is_found_by_its_bytes(
    upstream: str, key: str, far: Machine, settings: Settings, hub: Hub, tmp_path: Path, db: None
) -> None:
    settings.DOWNLOAD_ALLOW_PICKLE = True
    repo, _ = registering.register(NAME)
    assert mirror(repo, "old/weights.bin").status == "succeeded"
    made = bundling.manifest_of(bundling.everything(), configured.store())
    renamed = tuple(
        replace(file, path="old/weights.safetensors") if file.path.endswith(".bin") else file
        for file in made.repos[0].files
    )
    lying = replace(made, repos=(replace(made.repos[0], files=renamed),))
    bundling.export(lying, tmp_path / "usb", Control(), Observer())
    move_to(far, settings, hub)
    settings.DOWNLOAD_ALLOW_PICKLE = False
    error = refused("hub_import", tmp_path / "usb", "--trust", key)
    assert "weights.safetensors" in str(error)
    assert nothing_is_shown(far)
    assert not list(far.root.rglob("*.part"))
