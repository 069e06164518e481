"""`python -m tests.downloader.library.getter ROOT get|hang`: acquire the shelf's model; `hang`
stops in the middle of the first file and says so."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from downloader.library.store import Store
from tests.downloader.library.shelf import Shelf, ShelfSource, get
from tests.downloader.library.store.world import QUICK


def hang(_path: str) -> None:
    print("fetching", flush=True)  # noqa: T201
    time.sleep(600)


if __name__ == "__main__":
    root, what = sys.argv[1:]
    source = ShelfSource(Shelf(), **({"before": hang} if what == "hang" else {}))
    get(Store(Path(root), rhythm=QUICK), source)
    print("installed", flush=True)  # noqa: T201
