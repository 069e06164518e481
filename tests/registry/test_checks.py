"""The look at the disk: what vanished is said to be gone, what is new is recorded, disabled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from structlog.testing import capture_logs

from dreamforge_site import tasks
from registry import catalog, checks
from registry.descriptors import Descriptor
from registry.models import Model

from .conftest import HOSTILE, a_file, described, on_disk

pytestmark = pytest.mark.django_db

FILES = (a_file("unet/a.safetensors"), a_file("b.json", "local"))


@pytest.fixture
def model(root: Path) -> Model:
    return catalog.record(on_disk(root, described(files=FILES)), enable=True)


def state() -> tuple[bool, bool]:
    model = Model.objects.get()
    return model.installed, model.enabled


def test_a_whole_model_stays_as_it_is(model: Model) -> None:
    report = checks.run()
    assert (report.checked, report.missing, report.found, report.recorded) == (1, [], [], [])
    assert state() == (True, True)
    assert Model.objects.get().updated_at == model.updated_at


def _file_instead(at: Path) -> None:
    shutil.rmtree(at)
    at.write_text("x")


def _link_instead(at: Path) -> None:
    away = at.rename(at.parents[1] / "away")
    at.symlink_to(away)


def _dangle(at: Path) -> None:
    (at / "b.json").unlink()
    (at / "b.json").symlink_to("nowhere")


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "its folder or model.json is gone"),
    "no model.json": (lambda at: (at / "model.json").unlink(), "its folder or model.json is gone"),
    "a file in place of the folder": (_file_instead, "its folder is gone"),
    "a link in place of the folder": (_link_instead, "its folder is gone"),
    "a file less": (lambda at: (at / "b.json").unlink(), "b.json is gone"),
    "no folder within": (lambda at: shutil.rmtree(at / "unet"), "unet/a.safetensors is gone"),
    "a file in place of the folder within": (
        lambda at: _file_instead(at / "unet"),
        "unet/a.safetensors is gone",
    ),
    "a file cut short": (
        lambda at: (at / "b.json").write_text("x"),
        "b.json has 1 bytes instead of 6",
    ),
    "a dangling link": (_dangle, "b.json is gone"),
}


@pytest.mark.parametrize(("harm", "said"), HARM.values(), ids=HARM)
def test_a_model_that_is_not_whole_is_not_installed_and_the_log_says_why(
    root: Path, model: Model, harm: Callable[[Path], Any], said: str
) -> None:
    harm(root / model.local_path)
    with capture_logs() as lines:
        report = checks.run()
    assert report.missing == [f"epic 1: {said}"]
    assert state() == (False, False)
    vanished = [line for line in lines if line["event"] == "model_vanished"]
    assert [(line["log_level"], line["reason"]) for line in vanished] == [("warning", said)]


def test_a_model_that_comes_back_is_installed_and_stays_disabled(root: Path, model: Model) -> None:
    folder = root / model.local_path
    folder.rename(root / "aside")
    checks.run()
    (root / "aside").rename(folder)
    report = checks.run()
    assert (report.missing, report.found) == ([], ["epic 1"])
    assert state() == (True, False)
    assert checks.run().found == []


def test_models_root_on_a_new_machine_is_recorded_disabled(root: Path) -> None:
    descriptors = [
        on_disk(root, described("epic", files=FILES)),
        on_disk(root, described("soft", "lora")),
    ]
    report = checks.run()
    assert sorted(report.recorded) == ["epic 1", "soft 1"]
    rows = {row.pk: row for row in Model.objects.all()}
    assert set(rows) == {descriptor.id for descriptor in descriptors}
    assert [(row.installed, row.enabled) for row in rows.values()] == [(True, False)] * 2
    assert rows[descriptors[0].id].folder == root / "sdxl-checkpoint/epic@1"
    assert checks.run().recorded == []


def test_a_folder_that_was_moved_takes_its_row_along(root: Path, model: Model) -> None:
    (root / model.local_path).rename(root / "sdxl-checkpoint/renamed")
    report = checks.run()
    assert (report.missing, report.recorded) == (
        ["epic 1: its folder or model.json is gone"],
        ["epic 1"],
    )
    stored = Model.objects.get()
    assert (stored.pk, stored.local_path) == (model.pk, "sdxl-checkpoint/renamed")
    assert state() == (True, False)


def test_a_second_folder_of_a_model_changes_nothing(root: Path, model: Model) -> None:
    shutil.copytree(root / model.local_path, root / "sdxl-checkpoint/copy")
    assert checks.run().recorded == []
    assert Model.objects.get().local_path == "sdxl-checkpoint/epic@1"
    assert state() == (True, True)


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _escape(folder: Path) -> None:
    outside = folder.parents[2] / "secret"
    outside.write_bytes(b"b.json")
    (folder / "b.json").unlink()
    (folder / "b.json").symlink_to(outside)


def _link(folder: Path) -> None:
    (folder / "model.json").rename(folder / "real.json")
    (folder / "model.json").symlink_to("real.json")


def _pipe(folder: Path) -> None:
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")


def _folder(folder: Path) -> None:
    (folder / "model.json").unlink()
    (folder / "model.json").mkdir()


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "not JSON": (lambda at: (at / "model.json").write_text("<html>"), "not JSON"),
    "no text": (lambda at: (at / "model.json").write_bytes(b"\xff\xfe{"), "not JSON"),
    "nested without end": (lambda at: (at / "model.json").write_text("[" * 200_000), "not JSON"),
    "of a later program": (lambda at: rewrite(at, schema_version=9), "schema version 9"),
    "of another kind": (lambda at: rewrite(at, kind="vae"), "of kind vae"),
    "of no kind": (lambda at: rewrite(at, kind="flux"), "kind must be one of"),
    "a path above": (
        lambda at: rewrite(at, files_json=[{**FILES[0].to_json(), "path": "../../x"}]),
        "must stay below",
    ),
    "a file less": (lambda at: (at / "b.json").unlink(), "b.json is gone"),
    "a file from outside": (_escape, "b.json lies outside the models root"),
    "a link": (_link, "symbolic links"),
    "a pipe": (_pipe, "plain"),
    "a folder": (_folder, "directory"),
}


@pytest.mark.parametrize(("harm", "said"), STRANGE.values(), ids=STRANGE)
def test_a_folder_that_cannot_be_believed_is_told_and_not_recorded(
    root: Path, harm: Callable[[Path], Any], said: str
) -> None:
    descriptor = on_disk(root, described(files=FILES))
    harm(root / descriptor.local_path)
    with capture_logs() as lines:
        report = checks.run()
    assert Model.objects.count() == 0
    assert len(report.unusable) == 1
    assert said in report.unusable[0]
    assert [line["event"] for line in lines] == ["folder_not_recorded"]


def test_a_descriptor_of_more_than_16_mib_is_not_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk(root, described())
    monkeypatch.setattr(checks, "LARGEST_DESCRIPTOR", 100)
    assert "larger than 100 bytes" in checks.run().unusable[0]


def test_folders_without_a_descriptor_and_links_are_passed_over(root: Path) -> None:
    on_disk(root, described())
    for name in ("sdxl-checkpoint/empty", "blobs/sha256", "Author/Repo", ".staging/x"):
        (root / name).mkdir(parents=True)
    (root / "lora").write_text("no folder")
    (root / "vae").symlink_to(root / "sdxl-checkpoint")
    (root / "sdxl-checkpoint/link").symlink_to(root / "sdxl-checkpoint/epic@1")
    report = checks.run()
    assert (report.recorded, len(report.unusable)) == (["epic 1"], 1)
    assert report.unusable[0].startswith("vae/epic@1")


def test_a_folder_whose_name_is_no_text_keeps_no_other_from_being_recorded(root: Path) -> None:
    on_disk(root, described("zebra"))
    (root / "sdxl-checkpoint/zebra@1").rename(root / os.fsdecode(b"sdxl-checkpoint/\xff\xfe"))
    on_disk(root, described("whole", "vae"))
    report = checks.run()
    assert len(report.unusable) == 1
    assert report.recorded == ["whole 1"]


def test_hostile_names_on_the_disk_are_only_names(root: Path) -> None:
    name = HOSTILE.replace("/", "")
    on_disk(root, described(name))
    assert checks.run().recorded == [f"{name} 1"]
    assert Model.objects.get().name == name


@pytest.mark.parametrize("harm", ["gone", "a file"])
def test_while_the_root_cannot_be_read_nothing_is_judged(
    root: Path, model: Model, harm: str
) -> None:
    root.rename(root.parent / "aside")
    if harm == "a file":
        root.write_text("x")
    with pytest.raises(checks.RootUnreadable, match="cannot be read"):
        checks.run()
    assert state() == (True, True)


def test_a_folder_that_cannot_be_looked_at_is_not_judged(
    root: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checks, "fault", fails)
    report = checks.run()
    assert (report.missing, report.unusable) == ([], ["epic 1: Permission denied"])
    assert state() == (True, True)


def test_a_model_that_is_installed_again_under_our_eyes_is_not_missing(
    root: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old folder is away for a moment before the new one is in its place."""
    looks: list[str] = []
    fault = checks.fault

    def away_at_first(root: Path, local_path: str, files: Any) -> str | None:
        looks.append(local_path)
        return "its folder is gone" if len(looks) == 1 else fault(root, local_path, files)

    monkeypatch.setattr(checks, "fault", away_at_first)
    assert checks.run().missing == []
    assert len(looks) == 2
    assert state() == (True, True)


@pytest.mark.parametrize("look", [1, 2])
def test_a_model_that_is_removed_under_our_eyes_is_no_error(
    root: Path, model: Model, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    looks: list[str] = []

    def removed(_root: Path, local_path: str, _files: Any) -> str:
        looks.append(local_path)
        if len(looks) == look:
            Model.objects.all().delete()
        return "gone"

    monkeypatch.setattr(checks, "fault", removed)
    shutil.rmtree(root / model.local_path)
    assert checks.run().missing == []
    assert len(looks) == look


def test_a_start_runs_the_check_and_sums_it_up(root: Path, model: Model) -> None:
    shutil.rmtree(root / model.local_path)
    with capture_logs() as lines:
        tasks.at_start()
    outcome = {"checked": 1, "missing": 1, "unusable": 0, "found": 0, "recorded": 0}
    assert [line["outcome"] for line in lines if "outcome" in line] == [outcome]


def test_a_routine_of_the_start_that_fails_keeps_no_other_from_running(
    root: Path, settings: Settings
) -> None:
    settings.AT_START = ["registry.checks.nowhere", "registry.checks.at_start"]
    with capture_logs() as lines:
        tasks.at_start()
    assert [line["event"] for line in lines] == ["housekeeping_failed", "housekeeping_done"]


def test_a_start_without_a_root_goes_on(settings: Settings, tmp_path: Path) -> None:
    settings.MODELS_ROOT = tmp_path / "nowhere"
    with capture_logs() as lines:
        tasks.at_start()
    assert [line["event"] for line in lines] == ["models_not_checked", "housekeeping_done"]


def test_what_an_installation_wrote_can_be_read(root: Path) -> None:
    descriptor = on_disk(root, described(files=FILES))
    path = root / descriptor.local_path / "model.json"
    read = Descriptor.from_json(json.loads(path.read_text()))
    assert read.files == descriptor.files
