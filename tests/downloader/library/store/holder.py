"""`python -m tests.downloader.library.store.holder ROOT NAME`: hold a lock until stdin ends; then
say whether it was held to the end. Or `… ROOT NAME ROUNDS`: take it so many times, and die if
somebody else was inside."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from downloader.library.store import Store
from downloader.library.watch import Control, Observer
from tests.downloader.library.store.world import QUICK


def hold(store: Store, name: str) -> None:
    with store.lock(name, Control(), Observer()) as lease:
        print(f"held {lease.before}", flush=True)  # noqa: T201
        sys.stdin.read()
        print("kept" if lease.held() else "lost", flush=True)  # noqa: T201


def go_in_and_out(store: Store, name: str, rounds: int) -> None:
    """The referee is a lock of the kernel, which notices the dead."""
    referee = (store.root / "referee").open("a")
    for _ in range(rounds):
        with store.lock(name, Control(), Observer()):
            fcntl.flock(referee, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(referee, fcntl.LOCK_UN)
    print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    root, name, *rounds = sys.argv[1:]
    opened = Store(Path(root), rhythm=QUICK)
    if rounds:
        go_in_and_out(opened, name, int(rounds[0]))
    else:
        hold(opened, name)
