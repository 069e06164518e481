"""The library's engine on a list of files with their digests.

python -m benchmarks.download.ours http://127.0.0.1:PORT/PACE/ FOLDER SUMS SIZES
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from downloader.library.checksums import Digest, Trust, judge
from downloader.library.http import Client
from downloader.library.sources.base import Location, RemoteFile
from downloader.library.transfer import Engine, Fetched, Target
from downloader.library.watch import Control, Observer


def main(base: str, folder: str, sums: str, sizes: str) -> int:
    size_of = json.loads(Path(sizes).read_text())
    wanted = {}
    for line in Path(sums).read_text().splitlines():
        digest, name = line.split("  ")
        file = RemoteFile(name, name, size_of[name], Digest("sha256", digest))
        wanted[name] = file, Target(Path(folder, f"{name}.part"))

    def publish(path: str, fetched: Fetched) -> None:
        assert judge(wanted[path][0].digest, fetched.computed) is Trust.VERIFIED
        fetched.part.rename(Path(folder, path))

    with Client() as client:
        Engine(client).fetch(
            wanted, lambda file: Location(base + file.key), Control(), Observer(), publish
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
