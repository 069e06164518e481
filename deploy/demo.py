"""`make demo`: from a reference to an image on a machine without an internet.

Starts two small hubs on loopback and the whole service beside them, downloads models, draws an
image with one of them and shows every call as a line of curl. Images are pretended.
Whatever happens, hubs and service are stopped at the end. Nothing of the caller's own is used but
PORT, DF_DATA_DIR and DF_ADMIN_PASSWORD: no other setting, no `.env`, no token, no proxy.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dreamforge_site.environment import BASE_DIR, DOTENV
from tests import hubs

# What could change how the service runs, or where it calls.
SETTINGS = ("CIVITAI_", "DF_", "DJANGO_", "DREAMFORGE_", "HF_", "OTEL_", "PORT")
PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")
PLACE = BASE_DIR / ".tools" / "demo"
IMAGE = "lighthouse.png"
READY_WITHIN_S, STOP_WITHIN_S, WAIT_S = 120, 20, 120
LOG_LINES = 30
CHECKPOINT, LORA = "hf:dreamforge-demo/forge-xl", "civitai:1002@5003"
ASKED = {"prompt": "a lighthouse in a storm", "seed": 42, "width": 512, "height": 512}


class Failed(Exception):
    """One line for the user."""


def main() -> int:
    """0 when all was shown, 1 when something failed, 130 after ^C, 143 after TERM."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when all was shown")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with _folder() as data_dir, hubs.process() as hub:
            _demonstrate(hub, data_dir, once=once)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (Failed, OSError) as failure:
        sys.stderr.write(f"The demo failed: {failure}\n")
        return 1
    return 0


def _demonstrate(hub: hubs.RemoteHub, data_dir: Path, *, once: bool) -> None:
    variables = _variables(hub, data_dir)
    say(f"Two hubs run here: {hub.endpoint} and {hub.civitai_endpoint}. Starting the service…")
    with _service(variables, data_dir / "service.log") as service:
        door = Door(f"http://127.0.0.1:{variables['DF_PORT']}", service)
        door.wait_until_ready()
        _show(door, data_dir if os.environ.get("DF_DATA_DIR") else PLACE)
        if not once:
            say(f"\nThe service goes on at {door.base}/v1/docs and {door.base}/admin/")
            say(f"(admin, password {variables['DF_ADMIN_PASSWORD']}). ^C ends it all.")
            raise Failed(f"the service ended with {service.wait()}")


# What is shown


def _show(door: Door, folder: Path) -> None:
    title("1. Download a model: resolve, fetch, verify, install, register")
    model_id = door.download(CHECKPOINT)
    title("2. The same from CivitAI: a LoRA, by its page's number and version")
    door.download(LORA)
    title("3. What the registry holds now")
    models = door.ask("GET", "/v1/models")["models"]
    show([_some(model, "id", "name", "version", "kind", "enabled") for model in models])
    title("4. Draw with it: one request, answered when the image is there")
    body = {"type": "generate", "model_id": model_id, **ASKED}
    job = door.ask("POST", f"/v1/jobs?wait={WAIT_S}", body)["job"]
    show(_some(job, "id", "status", "progress", "summary", "error_message"))
    must(job["status"] == "succeeded", f"the job {job['status']}: {job['error_message']}")
    title("5. Its artifacts, each with a link that ends")
    [artifact] = door.ask("GET", f"/v1/jobs/{job['id']}/artifacts")["artifacts"]
    show(_some(artifact, "id", "width", "height", "seed", "sha256", "expires_at"))
    title("6. The file behind the link")
    image = door.fetch(artifact["url"], folder / IMAGE)
    must(hashlib.sha256(image).hexdigest() == artifact["sha256"], "the image is not what was made")
    say(f"{len(image)} bytes, SHA-256 as announced. The image is {folder / IMAGE}")
    title("7. Was it made here, and with what?")
    verdict = door.ask("POST", "/v1/artifacts:verify", {"image": base64.b64encode(image).decode()})
    show(_some(verdict, "verdict", "message", "request"))
    must(verdict["verdict"] == "authentic", verdict["message"])


class Door:
    """The service's API. What is asked of it is printed first."""

    def __init__(self, base: str, service: subprocess.Popen[bytes]) -> None:
        self.base = base
        self._service = service
        # The service is on this machine: no proxy stands between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._service.poll() is not None:
                raise Failed(f"the service ended with {self._service.returncode}")
            must(time.monotonic() < deadline, f"it was not ready within {READY_WITHIN_S} s")
            time.sleep(0.2)

    def download(self, ref: str) -> str:
        """The id of the model that `ref` became."""
        answer = self.ask("POST", f"/v1/models:download?wait={WAIT_S}", {"ref": ref})
        facts = ("status", "source_uri", "model_id", "bytes_total", "files", "error_message")
        show(_some(answer, *facts))
        why = answer.get("error_message") or f"it took longer than {WAIT_S} s"
        must(answer["status"] == "succeeded", f"{ref} was not downloaded: {why}")
        return str(answer["model_id"])

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body)
        words = ["curl", "-s", self.base + path]
        if data is not None:
            words += ["-H", "Content-Type: application/json", "-d", data]
        say("$ " + _cut(shlex.join(words)))
        request = urllib.request.Request(  # noqa: S310  (an address of ours)
            self.base + path, data.encode() if data else None, method=method
        )
        request.add_header("Content-Type", "application/json")
        return json.loads(self._opened(request))

    def fetch(self, url: str, to: Path) -> bytes:
        say("$ " + shlex.join(["curl", "-s", "-o", str(to), url]))
        content = self._opened(urllib.request.Request(url))  # noqa: S310  (made by the service)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(content)
        return content

    def _opened(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=WAIT_S + 30) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            raise Failed(f"{request.full_url} answered {error.code}: {said}") from None

    def _answers(self) -> bool:
        try:
            with self._opener.open(f"{self.base}/readyz", timeout=5):
                return True
        except OSError:
            return False


# What runs


@contextmanager
def _folder() -> Iterator[Path]:
    """DF_DATA_DIR, which stays, or a fresh folder that is gone afterwards."""
    if given := os.environ.get("DF_DATA_DIR"):
        folder = BASE_DIR / given
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="data-", dir=PLACE))
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _variables(hub: hubs.RemoteHub, data_dir: Path) -> dict[str, str]:
    """The whole environment of the service."""
    kept = {name: value for name, value in os.environ.items() if not _is_dropped(name)}
    settings = {
        DOTENV: os.devnull,
        "DF_ADMIN_PASSWORD": os.environ.get("DF_ADMIN_PASSWORD") or secrets.token_urlsafe(9),
        "DF_DATA_DIR": str(data_dir),
        "DF_PORT": os.environ.get("DF_PORT") or os.environ.get("PORT") or str(_free_port()),
        "DF_RUNNER": "fake",
        "DF_MIN_FREE_BYTES": "0",  # the models here are small
        "DF_CIVITAI_ENDPOINT": hub.civitai_endpoint,
        "HF_ENDPOINT": hub.endpoint,
    }
    return {**kept, **settings}


def _is_dropped(name: str) -> bool:
    return name.startswith(SETTINGS) or name.upper() in PROXIES


@contextmanager
def _service(variables: dict[str, str], log_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "dreamforge"],
            cwd=BASE_DIR,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    except (Failed, OSError):
        tail = log_path.read_text(errors="replace").splitlines()[-LOG_LINES:]
        sys.stderr.write("\n".join(["The end of the service's log:", *tail, ""]))
        raise
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """TERM, then KILL; its own processes end with it. A second ^C does not leave it behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# Words


def title(text: str) -> None:
    say(f"\n{text}")


def show(answer: Any) -> None:
    say(json.dumps(answer, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def _some(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    """Of what is there and says something."""
    return {name: answer[name] for name in names if answer.get(name) not in (None, "")}


def _cut(line: str, most: int = 260) -> str:
    return line if len(line) <= most else f"{line[:most]}…'"


if __name__ == "__main__":
    sys.exit(main())
