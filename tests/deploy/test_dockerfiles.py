"""The Dockerfiles: linted, pinned, and naming only files that are there and reach the build."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dreamforge_site.environment import BASE_DIR, known_names

pytestmark = pytest.mark.pure

DOCKERFILES = ("minio.Dockerfile", "runner.Dockerfile", "service.Dockerfile")
HADOLINT = Path(sys.executable).with_name("hadolint")
every_dockerfile = pytest.mark.parametrize("name", DOCKERFILES)


def text(name: str) -> str:
    return (BASE_DIR / "deploy" / name).read_text(encoding="utf-8")


def copied_from_the_checkout(name: str) -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", text(name), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def stage_bases(name: str) -> list[str]:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text(name), re.MULTILINE)
    own = {alias for _, alias in stages}
    return [base for base, _ in stages if base not in own]


def test_every_dockerfile_is_looked_at() -> None:
    found = sorted(path.name for path in (BASE_DIR / "deploy").glob("*Dockerfile*"))
    assert found == list(DOCKERFILES)


@every_dockerfile
def test_hadolint_finds_nothing(name: str) -> None:
    command = [str(HADOLINT), "--no-color", str(BASE_DIR / "deploy" / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@every_dockerfile
def test_every_base_is_pinned_to_a_version(name: str) -> None:
    bases = stage_bases(name)
    assert bases
    assert [base for base in bases if not re.search(r":\d+\.\d+\.\d+", base)] == []


@every_dockerfile
def test_the_image_does_not_run_as_root(name: str) -> None:
    assert re.findall(r"^USER (.+)$", text(name), re.MULTILINE) == ["10001:10001"]


@pytest.mark.parametrize("name", ["runner.Dockerfile", "service.Dockerfile"])
def test_what_is_copied_exists_and_is_let_through(name: str) -> None:
    lines = (BASE_DIR / ".dockerignore").read_text().split()
    let_through = {path for line in lines if line.startswith("!") for path in _matching(line[1:])}
    sources = {BASE_DIR / source for source in copied_from_the_checkout(name)}
    assert sources
    assert sources <= let_through


def _matching(pattern: str) -> list[Path]:
    return sorted(BASE_DIR.glob(pattern))


def test_the_build_gets_no_secret_file_and_no_data() -> None:
    lines = (BASE_DIR / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert "**/.env*" in rules
    assert {"!data", "!.env", "!.git"}.isdisjoint(rules)


def test_the_service_image_installs_no_torch() -> None:
    assert "runner.txt" not in text("service.Dockerfile")
    assert "torch" not in re.sub(r"^#.*$", "", text("service.Dockerfile"), flags=re.MULTILINE)


def test_both_images_have_the_same_python() -> None:
    pythons = {
        base
        for name in ("runner.Dockerfile", "service.Dockerfile")
        for base in stage_bases(name)
        if base.startswith("python:")
    }
    assert len(pythons) == 1
    assert pythons.pop().startswith("python:3.11.")


@every_dockerfile
def test_every_variable_of_ours_exists(name: str) -> None:
    assert set(re.findall(r"\bDF_[A-Z0-9_]+", text(name))) <= known_names()
