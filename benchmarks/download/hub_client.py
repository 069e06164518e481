"""huggingface_hub's own download, from a repository of the fake hub; and what fills that hub.

HF_ENDPOINT=… python -m benchmarks.download.hub_client FOLDER SUMS
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hubs import Hub

REPOSITORY = "bench/files"


def fill(hub: Hub, folder: str) -> None:
    files = {path.name: path for path in Path(folder).iterdir()}
    hub.huggingface.add(REPOSITORY, files, lfs=list(files))


def main(folder: str, sums: str) -> None:
    from huggingface_hub import snapshot_download

    names = [line.split("  ")[1] for line in Path(sums).read_text().splitlines()]
    snapshot_download(REPOSITORY, local_dir=folder, allow_patterns=names, max_workers=16)


if __name__ == "__main__":
    main(*sys.argv[1:])
