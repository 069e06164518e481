"""A site that mirrors a fake hub, as processes; and clients of it that know nothing of us."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import environment
from tests.hubs import Hub
from tests.live import LiveSite, StartSite

# Track, sync and download a repository, in one process: as commands and a worker would.
MIRROR = """
import json
from downloader.hub import registering
from dreamforge_site.accounts import keys
from dreamforge_site.accounts.models import User
from jobs import claims, execution, kinds, submission

def do(type_name, params):
    submission.submit(type_name, params, None)
    lease = claims.next_lease("io", "a worker", list(kinds.names_for("io")))
    execution.execute(execution.prepare(lease))

owner = User.objects.get(username="keeper")
told = {"key": keys.make(owner, "client", ["models"]).revealed, "commits": {}}
for name, revision in %(wanted)r:
    repo, _ = registering.register(name, revision)
    do("sync", {"repo_id": str(repo.pk)})
    do("mirror", {"repo_id": str(repo.pk)})
    repo = registering.get(repo.pk)
    assert repo.is_downloaded, (repo.status, repo.error_message)
    told["commits"][str(repo)] = repo.commit
print("told", json.dumps(told))
"""


class Mirror:
    """`key` opens it; `commits` by `name@revision`."""

    def __init__(self, site: LiveSite, told: dict[str, Any]) -> None:
        self.site = site
        self.endpoint = f"{site.base_url}/hf"
        self.key = str(told["key"])
        self.commits: dict[str, str] = told["commits"]

    @property
    def blobs(self) -> list[Path]:
        root = Path(self.site.variables["DF_MODELS_ROOT"])
        return sorted(path for path in (root / "blobs").rglob("*") if path.is_file())

    def client(self, home: Path, code: str) -> subprocess.CompletedProcess[str]:
        """Python that has never heard of this service."""
        return self._run(home, [sys.executable, "-c", code])

    def hf(self, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run(home, [str(Path(sys.executable).with_name("hf")), *words])

    def _run(self, home: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
        variables = {
            **environment.clean(),
            "HF_ENDPOINT": self.endpoint,
            "HF_TOKEN": self.key,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "NO_COLOR": "1",
        }
        return subprocess.run(
            words, env=variables, cwd=home, capture_output=True, text=True, check=False, timeout=280
        )


def start(
    live_sites: StartSite, hub: Hub, folder: Path, *wanted: tuple[str, str], **variables: str
) -> Mirror:
    """A site with `DF_AUTH=on` whose store holds these repositories."""
    site = live_sites(
        DF_AUTH="on",
        DF_MODELS_ROOT=str(folder / "models"),
        HF_ENDPOINT=hub.endpoint,
        **variables,
    )
    ran = site.manage("shell", "--no-imports", "--command", MIRROR % {"wanted": list(wanted)})
    line = next(line for line in ran.stdout.splitlines() if line.startswith("told "))
    return Mirror(site, json.loads(line.removeprefix("told ")))


def tree(folder: Path) -> dict[str, bytes]:
    """The files below, by path, without a client's notes of its own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }


def content(files: dict[str, Any]) -> dict[str, bytes]:
    return {
        path: value if isinstance(value, bytes) else value.encode() for path, value in files.items()
    }
