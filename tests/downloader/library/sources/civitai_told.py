"""What CivitAI tells in these tests, and how to read what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from downloader.library.refs import Ref
from downloader.library.sources.base import RemoteFile, Resolved
from tests.hubs import Hub, InMemory, faults
from tests.hubs.civitai import File
from tests.hubs.messages import Response

FULL = File("full.safetensors", b"full" * 100, id=11)
PRUNED = File("pruned.safetensors", b"pruned" * 100, size="pruned", id=12)
FULL_32 = File("full32.safetensors", b"full32" * 100, fp="fp32", id=13)
VAE = File("vae.safetensors", b"vae" * 100, type="VAE", fp=None, size=None, id=14)
FILES = (FULL, PRUNED, FULL_32, VAE)


def ref(target: str, version: str | None = None, *selection: str) -> Ref:
    return Ref("civitai", target, version, selection)


def by_path(resolved: Resolved) -> dict[str, RemoteFile]:
    return {file.path: file for file in resolved.files}


def only(resolved: Resolved) -> RemoteFile:
    (file,) = resolved.files
    return file


def rewrite(hub: Hub, change: Callable[[Any], object]) -> None:
    """CivitAI tells the same, but for this."""

    def told(response: Response) -> Response:
        model = json.loads(response.content.read())
        change(model)
        return replace(response, content=InMemory(json.dumps(model).encode()))

    hub.faults.add(faults.Changed(told), "/api/v1/models/*")
