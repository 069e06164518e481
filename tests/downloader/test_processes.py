"""`manage.py model_download` as real processes: killed, raced, out of space, with a secret."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dreamforge_site.environment import BASE_DIR
from tests import environment, hubs
from tests.hubs import Generated, Hub, RemoteHub, models

# One database each, and it is SQLite: the suite's does not matter here.
pytestmark = [pytest.mark.pure, pytest.mark.live]

KIB = 1 << 10
MIB = 1 << 20
# docs/reliability.md has the command with a GiB and twenty kills.
SIZE_MIB = int(os.environ.get("DREAMFORGE_TEST_DOWNLOAD_MIB", "48"))
KILLS = int(os.environ.get("DREAMFORGE_TEST_DOWNLOAD_KILLS", "5"))
SEED = int(os.environ.get("DREAMFORGE_TEST_DOWNLOAD_SEED", "1"))
FILES = 4
CONNECTIONS = 4
# What a kill costs for each connection: the piece that was not finished, and what the server had
# already given to the kernel.
LOST_BYTES = 8 * MIB
# Django, its apps and the transfer's buffers; the bodies of the test below are many times that.
LARGEST_PROCESS_MIB = 250
TELLS_PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
DIES_BEFORE_THE_ROW = """
import os, signal
from django.core.management import call_command
from registry import catalog
catalog.record = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
call_command("model_download", "hf:forge/twin")
"""
CANARIES = (RemoteHub.huggingface_token, RemoteHub.civitai_token)


def bomb() -> bytes:
    """An answer of half a MiB that unpacks to half a GiB, made of one piece over and over."""
    packer = zlib.compressobj(wbits=31)
    packer.compress(b"")
    pieces = [packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    return head + pieces[0] + pieces[1] * 511


def fill(hub: Hub, *, size_mib: int, rate: float) -> None:
    size = size_mib * MIB // FILES
    files = {
        f"part{n}.safetensors": models.sdxl_checkpoint(size=size, seed=n) for n in range(FILES)
    }
    hub.huggingface.add("forge/large", files)
    hub.huggingface.add("forge/twin", {"twin.safetensors": files["part0.safetensors"]})
    hub.huggingface.add("forge/gated", {"gated.safetensors": Generated(MIB)}, gated="auto")
    grown = models.sdxl_checkpoint(size=MIB, seed=9)
    hub.huggingface.add("forge/bomb", {"bomb.safetensors": grown})
    hub.faults.add(hubs.faults.Raw(bomb()), path="*bomb.safetensors", origin="cdn")
    hub.huggingface.add("forge/endless", {"endless.safetensors": grown})
    endless = hubs.faults.OtherVersion(Generated(1 << 30))
    hub.faults.add(endless, path="*endless.safetensors", origin="cdn")
    if rate:
        hub.faults.add(hubs.faults.RateCap(rate), path="*.safetensors")


@pytest.fixture
def far_hub(request: pytest.FixtureRequest) -> Iterator[RemoteHub]:
    rate = getattr(request, "param", 0.0)
    with hubs.process(f"{__name__}:fill", size_mib=SIZE_MIB, rate=rate) as hub:
        yield hub


@cache
def migrated_database() -> Path:
    """Made once: migrating takes longer than downloading."""
    data_dir = Path(tempfile.mkdtemp(prefix="migrated-"))
    atexit.register(shutil.rmtree, data_dir, ignore_errors=True)
    words = [sys.executable, "manage.py", "migrate"]
    variables = {**environment.clean(), "DF_DATA_DIR": str(data_dir)}
    subprocess.run(words, cwd=BASE_DIR, env=variables, capture_output=True, check=True)
    return data_dir / "dreamforge.sqlite3"


class Shell:
    """An installation of its own, and commands on it."""

    def __init__(self, data_dir: Path, hub: RemoteHub, **variables: str) -> None:
        self.data_dir = data_dir
        self.root = Path(variables.get("DF_MODELS_ROOT", str(data_dir / "models")))
        self._environment = {
            **environment.clean(),
            "DF_DATA_DIR": str(data_dir),
            "HF_ENDPOINT": hub.endpoint,
            "DF_CIVITAI_ENDPOINT": hub.civitai_endpoint,
            **variables,
        }
        data_dir.mkdir(mode=0o700)
        shutil.copy(migrated_database(), data_dir / "dreamforge.sqlite3")

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=BASE_DIR,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def download(self, ref: str, *words: str) -> subprocess.Popen[str]:
        return self.start("model_download", ref, "--concurrency", str(CONNECTIONS), *words)

    def python(self, code: str) -> subprocess.Popen[str]:
        """`code` in this installation's Django."""
        return self.start("shell", "--no-imports", "--command", code)

    def models(self) -> list[dict[str, Any]]:
        """Every one of the registry, also those that are disabled."""
        code, out, err = self.run("model_list", "--output", "json")
        assert code == 0, err
        found: list[dict[str, Any]] = json.loads(out)
        return found

    def peak_mib(self, *words: str) -> tuple[int, int]:
        """How it ended, and how much memory it had at most. Told by a small process in between: of
        a child, the system counts in what its parent was when it was made."""
        done = subprocess.run(
            [sys.executable, "-c", TELLS_PEAK, sys.executable, "manage.py", *words],
            cwd=BASE_DIR,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        code, peak_kib = done.stdout.splitlines()[-1].split()
        return int(code), int(peak_kib) // 1024

    def run(self, *words: str) -> tuple[int, str, str]:
        with self.start(*words) as process:
            out, err = process.communicate()
            return process.returncode, out, err


@pytest.fixture
def shell(tmp_path: Path, far_hub: RemoteHub) -> Shell:
    return Shell(tmp_path / "data", far_hub)


def right(folder: Path) -> list[str]:
    """The files of a model folder, each compared with the digest of its description."""
    described = json.loads((folder / "model.json").read_text())
    for file in described["files_json"]:
        data = (folder / file["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
        assert file["trust"] == "verified"
    return sorted(file["path"] for file in described["files_json"])


def has_canary(text: str) -> bool:
    return any(canary in text for canary in CANARIES)


def debris(root: Path) -> list[str]:
    """What a finished installation has no use for."""
    places = [root / name for name in (".staging", ".trash", ".quarantine", ".locks")]
    found = [path for place in places if place.exists() for path in place.rglob("*")]
    return sorted(str(path.relative_to(root)) for path in found if not path.is_dir())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("far_hub", [12 * MIB], indirect=True)
def test_a_download_killed_again_and_again_is_right_in_the_end(
    shell: Shell, far_hub: RemoteHub
) -> None:
    dice = random.Random(SEED)
    total = SIZE_MIB * MIB
    for killed in range(KILLS):
        process = shell.download("hf:forge/large")
        goal = far_hub.bytes_sent("*.safetensors") + dice.randrange(total // (KILLS + 1))
        while far_hub.bytes_sent("*.safetensors") < goal and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is not None:
            raise AssertionError(f"it ended before kill {killed + 1}: {process.communicate()}")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not list(shell.root.glob("*/*@*"))
    far_hub.clear_faults()
    code, _, err = _ended(shell.download("hf:forge/large"))
    assert code == 0, err
    (folder,) = shell.root.glob("*/large@*")
    assert right(folder) == [f"part{n}.safetensors" for n in range(FILES)]
    assert debris(shell.root) == []
    again = far_hub.bytes_sent("*.safetensors") - total
    assert again <= KILLS * CONNECTIONS * LOST_BYTES
    print(f"{KILLS} kills: {again / total:.2f} of the size fetched again")  # noqa: T201


@pytest.mark.parametrize("far_hub", [24 * MIB], indirect=True)
def test_two_processes_that_want_the_same_model_fetch_it_once(
    shell: Shell, far_hub: RemoteHub
) -> None:
    both = [shell.download("hf:forge/large") for _ in range(2)]
    ended = [_ended(process) for process in both]
    assert [code for code, _, _ in ended] == [0, 0], ended
    assert ended[0][1] == ended[1][1]  # one row: the same id
    assert far_hub.bytes_sent("*.safetensors") <= 1.1 * SIZE_MIB * MIB
    assert debris(shell.root) == []


@pytest.mark.parametrize("far_hub", [24 * MIB], indirect=True)
def test_who_waits_takes_over_at_once_when_the_other_is_killed(
    shell: Shell, far_hub: RemoteHub
) -> None:
    first = shell.download("hf:forge/large")
    _until(lambda: far_hub.bytes_sent("*.safetensors") > 4 * MIB, first)
    second = shell.download("hf:forge/large")
    time.sleep(1.5)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    code, _, err = _ended(second)
    assert code == 0, err
    (folder,) = shell.root.glob("*/large@*")
    assert len(right(folder)) == FILES


@pytest.mark.parametrize("far_hub", [12 * MIB], indirect=True)
def test_an_interrupt_says_so_exits_with_130_and_is_taken_up_again(
    shell: Shell, far_hub: RemoteHub
) -> None:
    process = shell.download("hf:forge/large")
    _until(lambda: far_hub.bytes_sent("*.safetensors") > 12 * MIB, process)
    process.send_signal(signal.SIGINT)
    code, out, err = _ended(process)
    assert (code, out) == (130, "")
    assert "goes on from here" in err
    assert "Traceback" not in err
    far_hub.clear_faults()
    assert _ended(shell.download("hf:forge/large"))[0] == 0
    assert far_hub.bytes_sent("*.safetensors") <= SIZE_MIB * MIB + CONNECTIONS * LOST_BYTES


def test_repositories_that_share_files_use_the_disk_once(shell: Shell, far_hub: RemoteHub) -> None:
    assert shell.run("model_download", "hf:forge/large")[0] == 0
    sent = far_hub.bytes_sent("*.safetensors")
    assert shell.run("model_download", "hf:forge/twin")[0] == 0
    assert shell.run("model_download", "hf:forge/large", "--name", "again")[0] == 0
    assert far_hub.bytes_sent("*.safetensors") == sent
    blobs = [path for path in (shell.root / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == FILES
    used = sum(
        path.stat().st_size
        for inode, path in {
            p.stat().st_ino: p for p in shell.root.rglob("*") if p.is_file()
        }.items()
    )
    assert used < SIZE_MIB * MIB + MIB


def test_a_kill_between_the_folder_and_its_row_costs_nothing(
    shell: Shell, far_hub: RemoteHub
) -> None:
    """The folder stands, and no row knows it; what every worker does as it starts finds it."""
    killed = _ended(shell.python(DIES_BEFORE_THE_ROW))
    assert killed[0] == -signal.SIGKILL, killed
    assert list(shell.root.glob("*/twin@*/model.json"))
    assert shell.models() == []
    assert shell.run("model_check")[0] == 0
    (model,) = shell.models()
    assert (model["name"], model["installed"]) == ("twin", True)
    sent = far_hub.bytes_sent("*.safetensors")
    assert shell.run("model_download", "hf:forge/twin")[0] == 0
    assert far_hub.bytes_sent("*.safetensors") == sent


def test_memory_stays_flat_whatever_a_body_grows_to(tmp_path: Path, far_hub: RemoteHub) -> None:
    """A body that unpacks to a thousand times its size, and a file that sends without an end, are
    cut off; neither is held in memory."""
    for name in ("bomb", "endless"):
        shell = Shell(tmp_path / name, far_hub)
        code, peak_mib = shell.peak_mib("model_download", f"hf:forge/{name}")
        assert code != 0
        assert not list(shell.root.glob("*/*@*"))
        assert peak_mib < LARGEST_PROCESS_MIB


def test_a_full_disk_exits_with_6_before_a_byte_moves_and_goes_on_when_there_is_room(
    tmp_path: Path, far_hub: RemoteHub, small_disk: Callable[[int], Path]
) -> None:
    root = small_disk(SIZE_MIB * KIB // 2)
    shell = Shell(tmp_path / "data", far_hub, DF_MODELS_ROOT=str(root))
    code, out, err = shell.run("model_download", "hf:forge/large")
    assert (code, out) == (6, "")
    assert "free" in err
    assert far_hub.bytes_sent("*.safetensors") == 0
    small_disk((SIZE_MIB + 200) * KIB)
    assert shell.run("model_download", "hf:forge/large")[0] == 0


def test_a_token_is_found_nowhere_afterwards(tmp_path: Path, far_hub: RemoteHub) -> None:
    shell = Shell(
        tmp_path / "data",
        far_hub,
        HF_TOKEN=far_hub.huggingface_token,
        CIVITAI_TOKEN=far_hub.civitai_token,
        DF_LOG_LEVEL="debug",
    )
    said = [
        shell.run("model_download", "hf:forge/large", "--json"),
        shell.run("model_download", "hf:forge/gated"),
        shell.run("model_download", "hf:forge/absent"),
        shell.run("model_download", "civitai:424242"),
        shell.run("model_list", "--output", "json"),
        shell.run("model_verify", "--all"),
    ]
    # The gated one is let through, and is not what its name says.
    assert [code for code, _, _ in said] == [0, 1, 3, 3, 0, 0]
    assert not any(has_canary(text) for _, *texts in said for text in texts)
    assert _holders(shell.data_dir) == []
    assert _rows_with(shell.data_dir / "dreamforge.sqlite3") == []
    # The hub was told, and nobody else was.
    assert has_canary(str(far_hub.requests(origin="huggingface")))
    assert not has_canary(str(far_hub.requests(origin="cdn")))
    assert far_hub.leaks == []


def test_a_token_is_in_no_process_title(tmp_path: Path, far_hub: RemoteHub) -> None:
    shell = Shell(tmp_path / "data", far_hub, HF_TOKEN=far_hub.huggingface_token)
    process = shell.download("hf:forge/large")
    titles = set()
    while process.poll() is None:
        titles |= {_title(pid) for pid in _session(process.pid)}
        time.sleep(0.02)
    process.communicate()
    assert any(b"model_download" in title for title in titles)
    assert not any(has_canary(title.decode()) for title in titles)


def _ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        out, err = process.communicate()
    return process.returncode, out, err


def _until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not holds():
        if process.poll() is not None:
            raise AssertionError(f"it ended too early: {process.communicate()}")
        time.sleep(0.02)


def _holders(folder: Path) -> list[str]:
    """Files below `folder` that hold the canary."""
    files = [
        path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 50 * MIB
    ]
    return [str(path) for path in files if has_canary(path.read_bytes().decode("latin-1"))]


def _rows_with(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        return [line for line in connection.iterdump() if has_canary(line)]


def _session(leader: int) -> list[int]:
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal() and _session_of(int(place.name)) == leader:
            found.append(int(place.name))
    return found


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
