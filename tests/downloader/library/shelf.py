"""A source for tests: files in memory, which it writes to their targets itself or through the
engine's `done`, and which may be other than it announces."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from downloader.library import plan as plans
from downloader.library.acquisition import Acquired, acquire
from downloader.library.checksums import Digest, Hashing
from downloader.library.errors import DownloadError
from downloader.library.http import Client, ClientOptions
from downloader.library.plan import Plan
from downloader.library.refs import Ref
from downloader.library.safety import Policy
from downloader.library.sources.base import Location, RemoteFile, Resolved, Source
from downloader.library.sources.describing import describe
from downloader.library.sources.filetypes import type_of
from downloader.library.store import Store
from downloader.library.transfer import Engine, Fetched, Target, TransferOptions
from downloader.library.watch import Control, FileProgress, Observer
from registry.descriptors import Descriptor

COMMIT = "c" * 40


def safetensors(tensors: Mapping[str, tuple[int, ...]], fill: int = 0) -> bytes:
    """A valid file of bytes, one for each element."""
    header: dict[str, Any] = {}
    at = 0
    for name, shape in tensors.items():
        size = 1
        for length in shape:
            size *= length
        header[name] = {"dtype": "U8", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes([fill]) * at


WEIGHTS = safetensors({"weight": (64,)})
LORA = safetensors({"unet.down.lora_up.weight": (8, 8), "unet.down.lora_down.weight": (8, 8)})
FILES = {"model.safetensors": WEIGHTS, "config.json": b'{"a": 1}', "notes/readme.md": b"# Model"}
# What a source may publish of them: less than the SHA-256 of each.
PLAIN_SHA1 = {"config.json": "git-sha1", "notes/readme.md": "git-sha1"}
NO_DIGESTS = dict.fromkeys(FILES, "")


def digest_of(body: bytes, algorithm: str) -> Digest | None:
    if algorithm == "sha256":
        return Digest("sha256", hashlib.sha256(body).hexdigest())
    if algorithm == "git-sha1":
        blob = b"blob %d\0%s" % (len(body), body)
        return Digest("git-sha1", hashlib.sha1(blob, usedforsecurity=False).hexdigest())
    return None


@dataclass
class Shelf:
    """`served`: what comes in place of what was announced. `algorithms`: of files whose digest is
    not SHA-256; "" is none."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    served: dict[str, bytes | DownloadError] = field(default_factory=dict)
    algorithms: dict[str, str] = field(default_factory=dict)
    commit: str = COMMIT
    kind_hint: str | None = "sdxl-checkpoint"
    sizes: dict[str, int] = field(default_factory=dict)

    def remote(self, path: str) -> RemoteFile:
        body = self.files[path]
        return RemoteFile(
            path=path,
            key=path,
            size=self.sizes.get(path, len(body)),
            digest=digest_of(body, self.algorithms.get(path, "sha256")),
            type=type_of(path),
        )

    def resolved(self) -> Resolved:
        ref = Ref("shelf", "author/name", None, (), "shelf:author/name")
        return Resolved(
            ref=ref,
            source_uri=f"shelf:author/name@{self.commit}",
            repo_id="author/name",
            author="author",
            title="Name",
            commit=self.commit,
            files=tuple(self.remote(path) for path in self.files),
            name="name",
            version=self.commit[:12],
            kind_hint=self.kind_hint,
        )


class ShelfSource(Source):
    scheme: ClassVar[str] = "shelf"
    label: ClassVar[str] = "Shelf"

    def __init__(self, shelf: Shelf, before: Callable[[str], None] = lambda path: None) -> None:
        super().__init__(Client(ClientOptions(proxies={})), {})
        self.shelf = shelf
        self.before = before
        self.fetched: list[str] = []

    def resolve(self, ref: Ref, control: Control) -> Resolved:
        return self.shelf.resolved()

    def locate(self, resolved: Resolved, file: RemoteFile) -> Location:
        return Location(f"https://shelf.invalid/{file.key}")

    def fetch(
        self,
        engine: Engine,
        resolved: Resolved,
        targets: Mapping[str, Target],
        control: Control,
        observer: Observer,
    ) -> Mapping[str, Fetched]:
        """One after the other; each is announced as it is complete, as the engine does."""
        announce = getattr(engine, "announce", None)
        done = {}
        for path, target in targets.items():
            control.check()
            self.before(path)
            self.fetched.append(path)
            done[path] = self._write(path, target.part)
            if announce is not None:
                announce(path, done[path])
        return done

    def _write(self, path: str, part: Path) -> Fetched:
        body = self.shelf.served.get(path, self.shelf.files[path])
        if isinstance(body, DownloadError):
            raise body
        hashing = Hashing(self.shelf.sizes.get(path, len(body)), ("git-sha1",))
        hashing.update(body)
        part.write_bytes(body)
        return Fetched(part=part, computed=hashing.computed(), received=len(body))

    def to_model_descriptor(self, resolved: Resolved) -> Descriptor:
        return describe(resolved, source="shelf", repo=resolved.repo_id)


@dataclass
class Diary(Observer):
    """Everything that was said."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    states: dict[str, FileProgress] = field(default_factory=dict)

    def say(self, code: str, message: str, **facts: object) -> None:
        self.lines.append((code, message))

    def file(self, progress: FileProgress) -> None:
        self.states[progress.path] = progress

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.lines]


def planned(
    shelf: Shelf,
    *,
    policy: Policy | None = None,
    version: str | None = None,
    kind: str | None = "sdxl-checkpoint",
) -> Plan:
    return plans.make(
        shelf.resolved(),
        policy=policy or Policy(),
        present=lambda file: None,
        patterns=tuple(shelf.files),
        kind=kind,
        name="name",
        version=version or "1",
    )


def get(
    store: Store,
    source: ShelfSource,
    plan: Plan | None = None,
    *,
    observer: Observer | None = None,
    control: Control | None = None,
    force: bool = False,
    policy: Policy | None = None,
) -> Acquired:
    return acquire(
        source,
        plan or planned(source.shelf, policy=policy),
        store,
        Engine(source.client, TransferOptions()),
        control or Control(),
        observer or Observer(),
        force=force,
    )
