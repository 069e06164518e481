"""The model commands: what goes to which stream, and how they end."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from registry import catalog, command_line, selection
from registry.models import Model
from tests.command_line import manage

from .conftest import HOSTILE, a_file, a_model, described, on_disk

pytestmark = pytest.mark.django_db

Capture = pytest.CaptureFixture[str]
NOBODY = str(uuid.UUID(int=7))


def refused(*arguments: str, exit_code: int) -> str:
    """The one line of a command that was refused."""
    with pytest.raises(CommandError) as raised:
        call_command(*arguments)
    assert raised.value.returncode == exit_code
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_the_list_is_a_table_with_the_newest_first(capsys: Capture) -> None:
    first, second = a_model("epic"), a_model("soft", kind="lora", enable=False)
    catalog.set_default(first.pk)
    call_command("model_list")
    written = capsys.readouterr()
    lines = [line.split("  ") for line in written.out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["ID", "NAME", "VERSION", "KIND", "STATE", "TRUST", "SIZE"],
        [str(second.pk), "soft", "1", "lora", "disabled", "verified", "17 B"],
        [str(first.pk), "epic *", "1", "sdxl-checkpoint", "enabled", "verified", "17 B"],
    ]
    assert written.err == ""


def test_the_list_is_narrowed(capsys: Capture) -> None:
    a_model("epic"), a_model("soft", kind="lora"), a_model("off", enable=False)
    found = []
    for options in (["--enabled"], ["--kind", "lora"], ["--query", "OFF"], []):
        call_command("model_list", "--output", "json", *options)
        found.append([model["name"] for model in json.loads(capsys.readouterr().out)])
    assert found == [["soft", "epic"], ["soft"], ["off"], ["off", "soft", "epic"]]


def test_the_list_as_json_is_that_of_the_api(capsys: Capture) -> None:
    model = a_model()
    call_command("model_list", "--output", "json")
    row = json.loads(capsys.readouterr().out)[0]
    assert list(row) == list(selection.LISTED)
    assert row["id"] == str(model.pk)


def test_an_empty_list_is_a_head(capsys: Capture) -> None:
    call_command("model_list")
    assert capsys.readouterr().out.splitlines() == ["ID  NAME  VERSION  KIND  STATE  TRUST  SIZE"]


def test_get_prints_the_whole_model(capsys: Capture) -> None:
    model = a_model("epic", version="2")
    shown = []
    for named in ("epic", "epic@2", str(model.pk)):
        call_command("model_get", named)
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1] == shown[2]
    assert (shown[0]["id"], shown[0]["local_path"]) == (str(model.pk), str(model.folder))


COMMANDS = ("model_get", "model_enable", "model_disable", "model_default")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("named", [NOBODY, "nobody", "a\x1b[31m\nb", HOSTILE])
def test_what_is_not_there_is_not_found(command: str, named: str) -> None:
    assert refused(command, named, exit_code=3).startswith("There is no model")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_ambiguous_name_is_wrong_usage(command: str) -> None:
    models = [a_model("epic", version=str(at)) for at in range(2)]
    line = refused(command, "epic", exit_code=2)
    assert [str(model.pk) in line for model in models] == [True, True]


def test_switching(capsys: Capture) -> None:
    a_model()
    call_command("model_disable", "epic")
    assert not Model.objects.get().enabled
    call_command("model_enable", "epic")
    assert Model.objects.get().enabled
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "epic 1 is disabled.\nepic 1 is enabled.\n")


def test_enabling_what_cannot_be_fails_with_the_reasons() -> None:
    a_model(enable=None, files=(a_file("a", "unverified"),))
    line = refused("model_enable", "epic", exit_code=1)
    assert line == "epic 1 cannot be enabled: a is unverified."


def test_disabling_the_default_says_what_follows(capsys: Capture) -> None:
    catalog.set_default(a_model().pk)
    call_command("model_disable", "epic")
    assert "jobs that name none are refused" in capsys.readouterr().err


def test_the_default_is_told_set_and_cleared(capsys: Capture) -> None:
    first, second = a_model("first"), a_model("second")
    call_command("model_default")
    assert capsys.readouterr().out == f"{first.pk}\n"
    call_command("model_default", "second")
    written = capsys.readouterr()
    assert written.out == f"{second.pk}\n"
    assert written.err == "Jobs that name no model use second 1.\n"
    call_command("model_default", "--clear")
    assert capsys.readouterr().out == ""
    assert selection.default() == first


def test_a_default_that_cannot_be_is_refused() -> None:
    assert "No model is" in refused("model_default", exit_code=3)
    a_model("soft", kind="lora")
    assert "of kind lora" in refused("model_default", "soft", exit_code=1)
    assert "or give --clear" in refused("model_default", "soft", "--clear", exit_code=2)


def test_a_check_tells_what_it_found(root: Path, capsys: Capture) -> None:
    gone = catalog.record(on_disk(root, described("gone")), enable=True)
    on_disk(root, described("new"))
    shutil.rmtree(gone.folder)
    assert "cannot be used" in refused("model_check", exit_code=1)
    written = capsys.readouterr()
    assert (written.out, written.err.splitlines()) == (
        "",
        [
            "missing: gone 1: its folder or model.json is gone",
            "recorded: new 1",
            "1 models checked.",
        ],
    )
    call_command("model_check")


def test_a_check_without_a_root_fails(settings: Settings, tmp_path: Path) -> None:
    settings.MODELS_ROOT = tmp_path / "nowhere"
    assert "cannot be read" in refused("model_check", exit_code=1)


def test_hostile_names_stay_in_their_cells(capsys: Capture) -> None:
    catalog.record(described(f"\u200b\u00ad{HOSTILE}"))
    call_command("model_list")
    written = capsys.readouterr().out
    assert len(written.splitlines()) == 2
    assert all(char.isprintable() or char == "\n" for char in written)


def test_a_line_is_plain() -> None:
    assert command_line.plain("a\x1b[31m\r\nb\u202ec\0") == "a [31m  b c "


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["model_list", "--output", "xml"], 2, "invalid choice"),
        (["model_list", "--kind", "flux"], 2, "invalid choice"),
        (["model_get"], 2, "ID|NAME"),
        (["model_get", "nobody"], 1, "migrate"),
    ],
)
def test_a_process_ends_with_the_status_of_the_contract(
    tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    ended = manage(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert said in ended.stderr
    assert "\x1b" not in ended.stderr
