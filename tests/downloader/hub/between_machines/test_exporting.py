"""What a bundle holds, and what never travels along."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from pytest_django import Settings

from downloader import configured
from downloader.hub import bundle_keys, bundling
from downloader.hub.errors import HubError
from downloader.hub.models import Repo
from downloader.library import install
from downloader.library.bundles import MANIFEST, SIGNATURE
from downloader.library.errors import Canceled
from downloader.library.watch import Control, Observer
from registry.models import Model
from tests.downloader.conftest import CHECKPOINT
from tests.downloader.hub.between_machines.machines import (
    MODEL,
    Machine,
    StopAfter,
    called,
    flip,
    imported,
    move_to,
    refused,
)
from tests.downloader.hub.conftest import NAME
from tests.hubs import Hub

pytestmark = pytest.mark.django_db


def test_no_token_and_no_signed_address_travels_along(
    model: Model, whole: Repo, settings: Settings, tmp_path: Path
) -> None:
    settings.DOWNLOAD_SOURCE_SETTINGS["hf"]["token"] = "hf_secrettoken"
    Repo.objects.update(page="https://u:hf_secrettoken@hub/x?token=hf_secrettoken")
    called("hub_export", "--all", "--to", tmp_path / "usb")
    said = (tmp_path / "usb" / MANIFEST).read_text() + (tmp_path / "usb" / SIGNATURE).read_text()
    assert "hf_secrettoken" not in said
    assert settings.SECRET_KEY not in said


def test_a_dry_run_writes_nothing(model: Model, tmp_path: Path) -> None:
    told = json.loads(
        called("hub_export", MODEL, "--dry-run", "--json", "--to", tmp_path / "usb")[0]
    )
    assert told["bytes"] >= CHECKPOINT.size
    assert not (tmp_path / "usb").exists()


def test_bytes_that_are_damaged_here_do_not_leave(model: Model, tmp_path: Path) -> None:
    weights = max(model.files, key=lambda file: file.size)
    blob = configured.store().blob(weights.sha256)
    blob.chmod(0o644)
    flip(blob, 5)
    error = refused("hub_export", MODEL, "--to", tmp_path / "usb.tar")
    assert "damaged" in str(error)
    assert not list(tmp_path.glob("usb.tar*"))


def test_a_folder_is_taken_up_where_an_export_was_stopped(
    model: Model, whole: Repo, tmp_path: Path
) -> None:
    made = bundling.manifest_of(bundling.everything(), configured.store())
    control = Control()
    with pytest.raises(Canceled):
        bundling.export(made, tmp_path / "usb", control, StopAfter(control, 2))
    assert not (tmp_path / "usb" / MANIFEST).exists()
    done = len(list((tmp_path / "usb").glob("blobs/*/*")))
    assert done
    written = bundling.export(made, tmp_path / "usb", Control(), Observer())
    assert written.copied_blobs == len(made.blobs) - done
    called("hub_import", tmp_path / "usb")


def test_what_is_no_bundle_is_not_written_into(model: Model, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter.txt").write_text("dear")
    assert "letter.txt" in str(refused("hub_export", MODEL, "--to", tmp_path / "home"))
    (tmp_path / "b.tar").write_text("mine")
    assert "there already" in str(refused("hub_export", MODEL, "--to", tmp_path / "b.tar"))
    assert (tmp_path / "b.tar").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["xl", "--all", "--dry-run"], 2),
        (["xl"], 2),
        (["nothing-of-that-name", "--dry-run"], 3),
        (["forge/unknown", "--dry-run"], 3),
        (["--all", "--dry-run", "--since", "/nowhere.json"], 3),
    ],
)
def test_what_cannot_be_exported_has_an_exit_code(words: list[str], code: int) -> None:
    assert refused("hub_export", *words).returncode == code


def test_the_same_tar_comes_of_the_same_things(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "now", lambda: "2026-11-20T09:00:00Z")
    called("hub_export", MODEL, "--to", tmp_path / "one.tar")
    called("hub_export", MODEL, "--to", tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_bundle_packed_again_by_tar_itself_is_taken(
    whole: Repo, key: str, far: Machine, settings: Settings, hub: Hub, tmp_path: Path
) -> None:
    called("hub_export", NAME, "--to", tmp_path / "usb")
    with tarfile.open(tmp_path / "again.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(tmp_path / "usb", ".")
    move_to(far, settings, hub)
    imported(tmp_path / "again.tar", key)
    assert Repo.objects.get().is_downloaded


def test_a_file_of_trusted_keys_that_is_damaged_is_told_of(bundle: Path, near: Machine) -> None:
    near.keys.write_text("{")
    assert str(near.keys) in str(refused("hub_import", bundle))


@pytest.mark.parametrize("text", ["", "zz", "a" * 31, "../../x"])
def test_what_is_no_key_is_not_trusted(text: str, near: Machine) -> None:
    with pytest.raises(HubError):
        bundle_keys.trust(text)
    assert not near.keys.exists()
