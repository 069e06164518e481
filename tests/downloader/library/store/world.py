"""What the tests of the store share: bytes to keep, and processes that hold locks or die."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from downloader.library.checksums import Computed
from downloader.library.store import MODEL_DESCRIPTOR, Claim, Rhythm, Store, durability

QUICK = Rhythm(beat_s=0.02, silence_s=0.5, look_s=0.02)
CHANGES = (
    "make_file",
    "make_folder",
    "write",
    "overwrite",
    "sync",
    "touch",
    "protect",
    "rename",
    "rename_new",
    "exchange",
    "link",
    "symlink",
    "unlink",
    "remove_folder",
    "delete_tree",
)


def computed(body: bytes) -> Computed:
    return Computed(len(body), hashlib.sha256(body).hexdigest())


def staged(store: Store, body: bytes, key: str = "") -> Path:
    """The bytes, as a transfer leaves them."""
    target = store.target(key or computed(body).sha256)
    target.part.write_bytes(body)
    target.ledger.write_bytes(b"pieces")
    return target.part


def keep(store: Store, body: bytes) -> str:
    """A blob of these bytes."""
    store.adopt(staged(store, body), computed(body))
    return computed(body).sha256


def described(files: Mapping[str, str]) -> bytes:
    entries = [{"path": path, "sha256": sha256} for path, sha256 in files.items()]
    return json.dumps({"files_json": entries}).encode()


def show(
    store: Store,
    folder: str,
    files: Mapping[str, str],
    *,
    replace: bool = False,
    claim: Claim | None = None,
) -> PurePosixPath:
    """A folder of links with a descriptor, published."""
    final = PurePosixPath(folder)
    if claim is None:
        with store.claim(files.values()) as own:
            return show(store, folder, files, replace=replace, claim=own)
    with store.build(final, claim) as building:
        for path, sha256 in files.items():
            building.place(sha256, path)
        building.write(MODEL_DESCRIPTOR, described(files))
        building.publish(replace=replace)
    return final


def tree(root: Path) -> list[str]:
    """Every file and link below, also of the store's own."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def age(path: Path, seconds: float) -> None:
    then = path.lstat().st_mtime - seconds
    os.utime(path, (then, then), follow_symlinks=False)


def before_each_change(patch: Callable[[str, Any], None], told: Callable[[str], None]) -> None:
    """Have `told` called with the name of every change to the disk, before it happens."""

    def wrapped(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            told(name)
            return change(*arguments)

        return call

    for name in CHANGES:
        patch(name, wrapped(name, getattr(durability, name)))


def survives(work: Callable[[], None], *, killed_before: int) -> bool:
    """Do `work` in a fork that is killed before its n-th change to the disk; False if it was."""
    child = os.fork()
    if child == 0:
        _work_until_killed(work, killed_before)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise AssertionError(f"the fork ended with status {status}")
    return True


def _work_until_killed(work: Callable[[], None], change: int) -> None:
    left = [change]

    def count(_name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        before_each_change(lambda name, call: setattr(durability, name, call), count)
        work()
    except BaseException:  # noqa: BLE001  the border of a process
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
