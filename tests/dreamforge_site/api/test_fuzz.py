"""A schema-driven fuzzer against the running server: what the document says is what happens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dreamforge_site.environment import BASE_DIR
from tests import environment, hubs
from tests.live import ADMIN, StartSite

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

COMMITTED = BASE_DIR / "docs/openapi/openapi.v1.json"
SEED = "20261121"
# Phases and examples of each operation. The edges of all parameters are some 4,000 requests: where
# another run meets the same code, a look at each operation is enough.
LOOK, WHOLE = ("examples,fuzzing", 2), ("examples,coverage,fuzzing", 6)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[dict[str, str]]:
    """A hub of our own: what is asked of the real one would depend on the network."""
    with hubs.process("tests.hubs.demo:fill") as hub:
        yield {"HF_ENDPOINT": hub.endpoint, "DF_CIVITAI_ENDPOINT": hub.civitai_endpoint}


@pytest.mark.pure
def test_open_development_service_keeps_its_document(
    live_sites: StartSite, tmp_path: Path, upstream: dict[str, str]
) -> None:
    site = live_sites(DF_AUTH="off", **upstream)
    assert fuzz(site.base_url, tmp_path, CHECKS, LOOK) == documented_operations()


def test_authenticated_service_keeps_its_document(
    live_sites: StartSite, tmp_path: Path, upstream: dict[str, str]
) -> None:
    site = live_sites(DF_AUTH="on", DF_ALLOW_REGISTRATION="true", **upstream)
    token = sign_in(site.base_url)
    checks = (*CHECKS, "ignored_auth")
    effort = WHOLE if environment.database() == "sqlite" else LOOK
    bearer = f"--header=Authorization: Bearer {token}"
    tested = fuzz(site.base_url, tmp_path, checks, effort, bearer)
    assert tested == documented_operations()


@pytest.mark.pure
def test_a_stranger_meets_what_the_document_says(live_sites: StartSite, tmp_path: Path) -> None:
    site = live_sites(DF_AUTH="on")
    assert fuzz(site.base_url, tmp_path, CHECKS, LOOK) == documented_operations()


def documented_operations() -> int:
    paths = json.loads(COMMITTED.read_text(encoding="utf-8"))["paths"]
    return sum(len(methods) for methods in paths.values())


def sign_in(base_url: str) -> str:
    name, password = ADMIN
    answer = requests.post(
        f"{base_url}/v1/auth/login", json={"username": name, "password": password}, timeout=30
    )
    return str(answer.json()["token"])


# Held-back answers have tests of their own; here each would cost what the fuzzer thinks of. So have
# undeclared parameters, and an undeclared header is nobody's mistake.
# A list that is longer than it may be can make a body that is larger than it may be: 413.
CONFIGURATION = """
[generation]
allow-extra-parameters = false
[parameters]
"query.wait" = 0
[checks]
negative_data_rejection.expected-statuses = ["4xx", "503"]
"""


def fuzz(
    base_url: str, folder: Path, checks: tuple[str, ...], effort: tuple[str, int], *more: str
) -> int:
    """How many operations were tested; fails with the fuzzer's own report."""
    phases, examples = effort
    report = folder / "report.json"
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    run = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{base_url}/v1/schema",
            f"--seed={SEED}",
            f"--max-examples={examples}",
            f"--checks={','.join(checks)}",
            f"--report-json-path={report}",
            f"--phases={phases}",
            "--generation-deterministic",
            "--continue-on-failure",
            "--no-color",
            *more,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    return int(json.loads(report.read_text())["operations"]["tested"])
