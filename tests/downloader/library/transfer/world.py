"""What the tests of the transfer share: a file on the hub, an engine, what both counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from downloader.library.checksums import Digest
from downloader.library.http import Client, ClientOptions
from downloader.library.sources.base import Location, RemoteFile
from downloader.library.transfer import Engine, Fetched, Target, TransferOptions
from downloader.library.watch import Control, FileProgress, Observer
from tests import hubs

KIB = 1024
PIECE = 64 * KIB
SEGMENT = 256 * KIB
SIZE = 2048 * KIB + 123
CONTENT = hubs.Generated(SIZE, seed=1)
OTHER = hubs.Generated(SIZE, seed=2)
NAME = "file.bin"
OPTIONS = TransferOptions(
    connections=4,
    first_connections=4,
    files=4,
    segment_bytes=SEGMENT,
    piece_bytes=PIECE,
    block_bytes=16 * KIB,
    attempts=4,
    max_wait_s=3,
)
PATIENCE = ClientOptions(
    connect_timeout_s=2, read_timeout_s=0.5, slowest_bytes_s=1024, attempts=3, proxies={}
)


@dataclass
class Diary(Observer):
    """Everything that was said."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    states: list[FileProgress] = field(default_factory=list)

    def say(self, code: str, message: str, **facts: object) -> None:
        self.lines.append((code, message))

    def file(self, progress: FileProgress) -> None:
        self.states.append(progress)

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.lines]


class World:
    def __init__(self, hub: hubs.Hub, folder: Path) -> None:
        self.hub = hub
        self.folder = folder
        self.options = OPTIONS
        self.client = Client(PATIENCE)
        self.control = Control()
        self.diary = Diary()
        self.located = 0

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def target(self, name: str = NAME) -> Target:
        return Target(self.folder / f"{name}.part")

    def serve(self, content: hubs.Content = CONTENT, name: str = NAME) -> str:
        """On the plain web server; the address."""
        return self.hub.web.add(f"/{name}", content)

    def serve_signed(self, content: hubs.Content = CONTENT, name: str = NAME) -> str:
        """On the hub, which redirects to the storage; the address at the hub."""
        self.hub.huggingface.add("author/repo", {name: content}, lfs=[name])
        return f"{self.hub.endpoint}/author/repo/resolve/main/{name}"

    def fetch(
        self,
        url: str,
        *,
        size: int | None = SIZE,
        digest: Digest | None = None,
        name: str = NAME,
    ) -> Fetched:
        """One file through the engine."""
        file = RemoteFile(path=name, key=url, size=size, digest=digest)
        return self.fetch_all({name: file})[name]

    def fetch_all(self, files: dict[str, RemoteFile]) -> dict[str, Fetched]:
        engine = Engine(self.client, self.options)
        wanted = {path: (file, self.target(path)) for path, file in files.items()}
        return engine.fetch(wanted, self.locate, self.control, self.diary)

    def locate(self, file: RemoteFile) -> Location:
        self.located += 1
        return Location(file.key)

    def bytes_of(self, name: str = NAME) -> bytes:
        return self.target(name).part.read_bytes()


def sha256(content: hubs.Content) -> Digest:
    return Digest("sha256", content.sha256)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
