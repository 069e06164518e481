"""What holds for every file of the house; the import directions are checked by `make imports`."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from dreamforge_site.environment import BASE_DIR, PREFIX, Environment, known_names, variable_names
from tests import environment

ROOMS = ("dreamforge_site", "downloader", "jobs", "registry", "runners")
FOLDERS = (*ROOMS, ".ci", "benchmarks", "deploy", "docs", "templates", "tests")
GENERATED = ("migrations", "__pycache__")
TEXT = (".py", ".sh", ".md", ".toml", ".yml", ".yaml", ".html", ".json", ".in", ".txt", ".cfg", "")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|pytest\.mark\.(skip|xfail)\b")
DEVELOPERS_PATH = re.compile(r"(?<![\w.])/(work|root|Users|home/\w+)/")
SETTING = re.compile(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]\b")
HEAVY = ("torch", "diffusers", "transformers", "accelerate")
LOADING = """
import sys
from django.urls import get_resolver
import dreamforge_site.asgi
from dreamforge_site.celery import app
assert get_resolver().url_patterns
app.loader.import_default_modules()
print("loaded:", *sorted(set(sys.argv[1:]) & set(sys.modules)))
"""

pytestmark = pytest.mark.pure


def _files() -> Iterator[Path]:
    """Every text file people wrote, but this one, which spells what it forbids."""
    tops = [path for path in BASE_DIR.iterdir() if path.is_file() and path.name != ".env"]
    below = [path for folder in FOLDERS for path in (BASE_DIR / folder).rglob("*")]
    for path in sorted([*tops, *below]):
        written = path.suffix in TEXT and not set(GENERATED) & set(path.parts)
        if written and path.is_file() and path != Path(__file__):
            yield path


def _matches(pattern: re.Pattern[str], files: Iterator[Path]) -> list[str]:
    return [
        f"{path.relative_to(BASE_DIR)}:{number}: {match.group()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
    ]


def test_files_of_the_house_are_found() -> None:
    assert Path(BASE_DIR, "Makefile") in _files()
    assert Path(BASE_DIR, "dreamforge_site", "settings.py") in _files()


def test_nothing_is_left_unfinished() -> None:
    code = (path for path in _files() if path.suffix in (".py", ".sh"))
    assert _matches(UNFINISHED, code) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert _matches(DEVELOPERS_PATH, _files()) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    """Neither straight nor by way of others; a circle is told as the files it goes through."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    below = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert set(TopologicalSorter(below).static_order()) == graph.modules


def test_every_package_says_what_it_is_for() -> None:
    packages = [
        path
        for room in ROOMS
        for path in (BASE_DIR / room).rglob("__init__.py")
        if path.parent.name not in ("migrations", "management", "commands")
    ]
    silent = [
        str(path.relative_to(BASE_DIR))
        for path in packages
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(packages) >= len(ROOMS)
    assert silent == []


@pytest.mark.parametrize("document", ["docs/configuration.md", ".env.example"])
def test_every_variable_is_documented(document: str) -> None:
    written = (BASE_DIR / document).read_text(encoding="utf-8")
    names = [variable_names(*field)[0] for field in Environment.model_fields.items()]
    missing = [name for name in names if not re.search(rf"\b{name}\b", written)]
    assert PREFIX + "DATA_DIR" in names
    assert missing == []


def test_no_file_names_a_variable_that_does_not_exist() -> None:
    beside_tests = (path for path in _files() if BASE_DIR / "tests" not in path.parents)
    named = _matches(SETTING, beside_tests)
    assert [line for line in named if line.rpartition(" ")[2] not in known_names()] == []


def test_web_and_workers_load_no_part_of_the_gpu_runner(tmp_path: Path) -> None:
    # Importable here, whatever is installed: an import that is tried is an import that shows.
    for name in HEAVY:
        (tmp_path / f"{name}.py").touch()
    run = subprocess.run(
        [sys.executable, "-c", LOADING, *HEAVY],
        cwd=BASE_DIR,
        env=environment.clean() | {"PYTHONPATH": str(tmp_path), "DF_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == os.EX_OK, run.stdout
    assert run.stdout.splitlines()[-1] == "loaded:"
