"""The whole service as its user has it: `manage.py dreamforge`, asked over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from dreamforge_site.environment import BASE_DIR
from tests.dreamforge_site.supervisor.supervised import Supervised, wait_until
from tests.live import child_environment, manage
from tests.services import found
from tests.services.process import free_port

WAIT_S = 100


class Forge:
    def __init__(self, data_dir: Path, variables: Mapping[str, str]) -> None:
        port = str(free_port())
        self.base = f"http://127.0.0.1:{port}"
        self._environment = child_environment(data_dir, {"DF_PORT": port, **variables})
        words = [sys.executable, "manage.py", "dreamforge"]
        self.process = Supervised(words, self._environment, BASE_DIR)

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, "the service", lambda: self.process.text)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST of a body; the answer of a call that went well."""
        address = f"{self.base}{path}"
        answer = requests.request(
            "POST" if body else "GET", address, json=body, timeout=WAIT_S + 20
        )
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}\n{self.process.text[-6000:]}"
        return answer.json()

    def download(self, ref: str) -> str:
        """The id of the model that it became."""
        done = self.ask(f"/v1/models:download?wait={WAIT_S}", {"ref": ref})
        assert done["status"] == "succeeded", done
        return str(done["model_id"])

    def draw(self, **params: Any) -> list[Picture]:
        """The pictures of a job that went well, by item."""
        job = self.ask(f"/v1/jobs?wait={WAIT_S}", {"type": "generate", **params})["job"]
        assert job["status"] == "succeeded", f"{job}\n{self.process.text[-6000:]}"
        found = self.ask(f"/v1/jobs/{job['id']}/artifacts")["artifacts"]
        by_item = sorted(found, key=lambda artifact: artifact["item_index"])
        return [Picture(artifact, fetched(artifact["url"])) for artifact in by_item]

    def short_link(self, artifact_id: str) -> str:
        """One that ends after a second, which is less than the API gives."""
        code = (
            "from jobs.generation import links; from jobs.models import Artifact; "
            f"print(links.link(Artifact.objects.get(pk='{artifact_id}'), 1, '{self.base}').url)"
        )
        said = manage(self._environment, "shell", "--no-imports", "--command", code)
        return said.stdout.strip().splitlines()[-1]

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base}/readyz", timeout=5).ok
        except requests.RequestException:  # not there yet, or busy with its start
            return False


@dataclass(frozen=True)
class Picture:
    artifact: dict[str, Any]
    data: bytes

    @property
    def seed(self) -> int:
        return int(self.artifact["seed"])


def fetched(url: str) -> bytes:
    """What whoever has the link gets."""
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.content


def exiftool(data: bytes, folder: Path) -> dict[str, Any]:
    """What ExifTool reads in a file, by its names of groups and tags."""
    file = folder / "picture"
    file.write_bytes(data)
    program = found.program("usr/bin/exiftool")
    environment = found.environment(program)
    if found.UNPACKED in program.parents:
        environment["PERL5LIB"] = str(found.UNPACKED / "usr/share/perl5")
    words = [str(program), "-json", "-G1", "-charset", "UTF8", str(file)]
    said = subprocess.run(words, env=environment, capture_output=True, check=True)
    (read,) = json.loads(said.stdout)
    return dict(read)
