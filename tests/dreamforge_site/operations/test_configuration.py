"""The configuration's documents equal the table, and showing it shows no secret."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from dreamforge_site.environment import known_names, read
from dreamforge_site.operations import configuration

pytestmark = pytest.mark.pure

NAME = re.compile(r"\b(?:DF|HF|CIVITAI)_[A-Z0-9_]+\b|\bPORT\b")


def variables() -> set[str]:
    return {name for name in known_names() if not name.endswith("_FILE")}


def test_the_committed_documents_are_up_to_date() -> None:
    call_command("config_docs", check=True, stderr=StringIO())


def test_an_outdated_document_is_found_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dreamforge_site.management.commands.config_docs.BASE_DIR", tmp_path)
    monkeypatch.setattr(configuration, "PAGE", tmp_path / "docs" / "page.md")
    monkeypatch.setattr(configuration, "EXAMPLE", tmp_path / "example")
    call_command("config_docs", stderr=StringIO())
    configuration.PAGE.write_text("of last year")
    with pytest.raises(CommandError, match=r"^docs/page.md: outdated; run `manage.py config_docs`"):
        call_command("config_docs", check=True, stderr=StringIO())
    assert configuration.PAGE.read_text() == "of last year"
    call_command("config_docs", stderr=StringIO())
    call_command("config_docs", check=True, stderr=StringIO())


def test_the_page_names_every_variable_and_no_other() -> None:
    head, _, tables = configuration.page().partition("## ")
    in_first_cells = {
        name
        for line in tables.splitlines()
        if line.startswith("| `")
        for name in NAME.findall(line.split(" | ")[0])
    }
    assert in_first_cells == variables()
    assert "show_config" in head


def test_the_example_changes_nothing_until_a_line_is_uncommented(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(configuration.example())
    assert read({}, tmp_path) == read({}, Path("/nowhere"))


def test_the_example_with_every_line_uncommented_is_valid(tmp_path: Path) -> None:
    uncommented = re.sub(r"^#(?=[A-Z])", "", configuration.example(), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(uncommented)
    assert "\nDF_PORT=8000\n" in uncommented
    assert read({}, tmp_path).port == 8000


def test_shown_configuration_is_what_is_in_effect_and_no_secret(tmp_path: Path) -> None:
    given = {
        "DF_DATA_DIR": str(tmp_path),
        "DF_SECRET_KEY": "canary" * 10,
        "DF_DATABASE_URL": "postgresql://u:canary@h/n",
        "DF_GPU_DEVICES": "0,1",
    }
    shown = configuration.shown(read(given, tmp_path))
    assert shown["DF_SECRET_KEY"] == shown["DF_DATABASE_URL"] == "set"
    assert shown["HF_TOKEN"] == "unset"
    assert shown["DF_AUTH"] == "off"
    assert shown["DF_MODELS_ROOT"] == str(tmp_path / "models")
    assert shown["DF_GPU_DEVICES"] == ["0", "1"]
    assert "canary" not in json.dumps(shown)


def test_show_config_prints_text_and_json() -> None:
    text, as_json = StringIO(), StringIO()
    call_command("show_config", stdout=text)
    call_command("show_config", "--json", stdout=as_json)
    data_dir = str(settings.ENVIRONMENT.data_dir)
    assert re.search(rf"^DF_DATA_DIR +{re.escape(data_dir)}$", text.getvalue(), re.MULTILINE)
    assert re.search(r"^DF_DEBUG +false$", text.getvalue(), re.MULTILINE)
    assert json.loads(as_json.getvalue())["DF_DATA_DIR"] == data_dir
