"""Real clients of Hugging Face against `/hf/`, its upstream switched off."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import requests

from tests import hubs
from tests.downloader.hub.serving import live
from tests.downloader.hub.serving.live import Mirror
from tests.hubs import models
from tests.live import StartSite

pytestmark = [pytest.mark.live, pytest.mark.pure]

NAME = "forge/sketch"
WEIGHTS = models.sdxl_checkpoint(size=3_000_000, seed=1).read()
OTHER_WEIGHTS = models.sdxl_checkpoint(size=300_000, seed=2).read()
FILES: dict[str, str | bytes] = {
    "README.md": "---\nlicense: mit\n---\n# A model\n",
    "config.json": '{"model_type": "bert", "hidden_size": 64}',
    "unet/config.json": '{"sample_size": 64}',
    "unet/ünïcode name.json": "{}",
    "unet/model.safetensors": WEIGHTS,
    "vae/model.safetensors": OTHER_WEIGHTS,
}
BRANCH = "feature/x"
CHANGED: dict[str, str | bytes] = {"config.json": '{"model_type": "bert", "hidden_size": 128}'}


@pytest.fixture
def mirror(live_sites: StartSite, tmp_path: Path) -> Mirror:
    with hubs.running() as hub:
        hub.huggingface.add(NAME, FILES, branches={BRANCH: CHANGED})
        hub.huggingface.add("alone", {"config.json": "{}"})
        wanted = [(NAME, "main"), (NAME, BRANCH), ("alone", "main")]
        started = live.start(live_sites, hub, tmp_path, *wanted)
    assert not hub_answers(hub.endpoint)
    return started


def hub_answers(endpoint: str) -> bool:
    try:
        requests.get(endpoint, timeout=5)
    except requests.ConnectionError:
        return False
    return True


def test_the_command_line_downloads_and_verifies(mirror: Mirror, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ran = mirror.hf(home, "download", NAME)
    assert ran.returncode == 0, ran.stderr
    snapshot = home / "hub" / "models--forge--sketch" / "snapshots"
    commit = mirror.commits[f"{NAME}@main"]
    assert live.tree(snapshot / commit) == live.content(FILES)
    verified = mirror.hf(home, "cache", "verify", NAME)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert str(len(FILES)) in verified.stdout + verified.stderr


def test_a_branch_with_a_slash_and_a_name_of_one_segment_are_found(
    mirror: Mirror, tmp_path: Path
) -> None:
    ran = mirror.client(
        tmp_path,
        "import json\n"
        "from huggingface_hub import HfApi, hf_hub_download, snapshot_download\n"
        f"branch = snapshot_download({NAME!r}, revision={BRANCH!r}, local_dir='branch')\n"
        "alone = hf_hub_download('alone', 'config.json')\n"
        f"one = hf_hub_download({NAME!r}, 'config.json', revision={BRANCH!r})\n"
        "api = HfApi()\n"
        f"info = api.model_info({NAME!r}, files_metadata=True)\n"
        f"refs = [b.name for b in api.list_repo_refs({NAME!r}).branches]\n"
        f"paths = [p.path for p in api.get_paths_info({NAME!r}, ['unet', 'config.json', 'no'])]\n"
        "print(json.dumps({'sha': info.sha, 'alone': open(alone).read(), 'one': open(one).read(),\n"
        "  'refs': refs, 'paths': paths, 'who': api.whoami()['name'],\n"
        "  'lfs': {s.rfilename: s.lfs and s.lfs.sha256 for s in info.siblings}}))\n",
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert live.tree(tmp_path / "branch") == live.content({**FILES, **CHANGED})
    assert told["sha"] == mirror.commits[f"{NAME}@main"]
    assert told["one"] == CHANGED["config.json"]
    assert told["alone"] == "{}"
    assert told["refs"] == ["main", BRANCH]
    assert told["paths"] == ["unet", "config.json"]
    assert told["who"] == "keeper"
    assert told["lfs"]["unet/model.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert told["lfs"]["config.json"] is None


def test_transformers_reads_its_configuration(mirror: Mirror, tmp_path: Path) -> None:
    ran = mirror.client(
        tmp_path,
        "from transformers import AutoConfig\n"
        f"print('size', AutoConfig.from_pretrained({NAME!r}).hidden_size)\n",
    )
    assert "size 64" in ran.stdout, ran.stderr


def test_damaged_bytes_are_not_served(mirror: Mirror, tmp_path: Path) -> None:
    name = hashlib.sha256(WEIGHTS).hexdigest()
    blob = next(path for path in mirror.blobs if path.name == name)
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"rot")
    answer = _get(mirror, "unet/model.safetensors")
    assert answer.status_code == 500
    assert "are not what the mirror verified" in answer.json()["error"]
    ran = mirror.hf(tmp_path, "download", NAME, "vae/model.safetensors")
    assert ran.returncode == 0, ran.stderr


def test_a_blob_of_another_size_is_refused(mirror: Mirror) -> None:
    name = hashlib.sha256(OTHER_WEIGHTS).hexdigest()
    blob = next(path for path in mirror.blobs if path.name == name)
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.truncate(1000)
    assert _get(mirror, "vae/model.safetensors").status_code == 500


def test_without_a_key_nobody_is_served(mirror: Mirror) -> None:
    answer = requests.get(f"{mirror.endpoint}/api/models/{NAME}", timeout=60)
    assert answer.status_code == 401
    assert answer.headers["X-Error-Message"] == "Invalid username or password."
    assert list(answer.json()) == ["error"]


def test_ranges_are_joined_to_the_file_and_the_connection_stays(mirror: Mirror) -> None:
    headers = {"Authorization": f"Bearer {mirror.key}"}
    address = f"{mirror.endpoint}/{NAME}/resolve/main/unet/model.safetensors"
    with requests.Session() as client:
        client.headers.update(headers)
        parts = [
            client.get(address, headers={"Range": f"bytes={start}-{start + 999_999}"})
            for start in range(0, len(WEIGHTS), 1_000_000)
        ]
        whole = client.get(address)
    assert {part.status_code for part in parts} == {206}
    assert b"".join(part.content for part in parts) == WEIGHTS
    assert whole.content == WEIGHTS
    assert "x-forge-handoff" not in whole.headers


def _get(mirror: Mirror, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {mirror.key}"}
    return requests.get(
        f"{mirror.endpoint}/{NAME}/resolve/main/{path}", headers=headers, timeout=60
    )
