"""A program that fetches the files named in a JSON file and is killed while it does.

python -m tests.downloader.library.transfer.killed WANTED FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from downloader.library.checksums import Digest
from downloader.library.http import Client, ClientOptions
from downloader.library.sources.base import Location, RemoteFile
from downloader.library.transfer import Engine, Fetched, Target, TransferOptions
from downloader.library.watch import Control, Observer

PIECE = 256 * 1024
CONNECTIONS = 8
OPTIONS = TransferOptions(
    connections=CONNECTIONS,
    first_connections=CONNECTIONS,
    segment_bytes=1024 * 1024,
    piece_bytes=PIECE,
    block_bytes=64 * 1024,
)


def fetch(wanted: Path, folder: Path) -> dict[str, Fetched]:
    files = {
        name: RemoteFile(name, told["url"], told["size"], Digest("sha256", told["sha256"]))
        for name, told in json.loads(wanted.read_text()).items()
    }
    with Client(ClientOptions(proxies={})) as client:
        return Engine(client, OPTIONS).fetch(
            {name: (file, Target(folder / f"{name}.part")) for name, file in files.items()},
            lambda file: Location(file.key),
            Control(),
            Observer(),
        )


if __name__ == "__main__":
    fetch(Path(sys.argv[1]), Path(sys.argv[2]))
