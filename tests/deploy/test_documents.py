"""The written house: links lead somewhere, and every command it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from dreamforge_site.environment import BASE_DIR, known_names

pytestmark = pytest.mark.pure

DOCUMENTS = sorted(
    [*BASE_DIR.glob("*.md"), *BASE_DIR.glob("docs/*.md"), *BASE_DIR.glob("docs/adr/*.md")]
)
ADRS = sorted(path for path in DOCUMENTS if path.parent.name == "adr")
every_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=[str(path.relative_to(BASE_DIR)) for path in DOCUMENTS]
)
every_adr = pytest.mark.parametrize("path", ADRS, ids=[path.stem for path in ADRS])


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@every_document
def test_its_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(path))
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (path.parent / target).exists()] == []


@every_document
def test_its_make_targets_are_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text(BASE_DIR / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ *)make ([a-z-]+)", text(path), re.MULTILINE))
    assert named <= targets


@every_document
def test_its_manage_commands_are_there(path: Path) -> None:
    assert set(re.findall(r"manage\.py ([a-z][a-z_]+)", text(path))) <= set(get_commands())


@every_document
def test_its_variables_are_there(path: Path) -> None:
    named = re.findall(r"\bDF_[A-Z0-9]+(?:_[A-Z0-9]+)*\b", text(path))
    allowed = known_names() | {"DF_S3"}  # as in `DF_S3_…`
    assert [name for name in named if name not in allowed] == []


@every_adr
def test_a_decision_answers_the_four_questions(path: Path) -> None:
    headings = re.findall(r"^## (.+)$", text(path), re.MULTILINE)
    assert headings == ["Question", "Answer", "Cost", "How to undo it"]
    assert text(path).startswith(f"# {path.stem[:4]}: ")


def test_every_direct_dependency_has_its_reason() -> None:
    reasons = text(BASE_DIR / "docs" / "adr" / "0007-dependencies.md").lower()
    lines = [
        line.strip()
        for layer in ("service", "runner", "dev")
        for line in (BASE_DIR / "requirements" / f"{layer}.in").read_text().splitlines()
    ]
    packages = [re.split(r"[\[<>=]", line)[0] for line in lines if re.match(r"[a-zA-Z]", line)]
    assert len(packages) > 30
    assert [package for package in packages if not _is_named(package, reasons)] == []


def _is_named(package: str, reasons: str) -> bool:
    if package.startswith("pytest-"):
        return package.removeprefix("pytest-") in reasons
    if package.endswith(("-stubs", "-types")) or package.startswith("types-"):
        return "the stubs" in reasons
    return package.lower() in reasons
