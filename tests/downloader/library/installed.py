"""What lies in a store once a model was got."""

from __future__ import annotations

from downloader.library.store import Store
from tests.downloader.library.shelf import FILES
from tests.downloader.library.store.world import computed

FOLDER = "sdxl-checkpoint/name@1"


def whole_store(files: dict[str, bytes] = FILES, folder: str = FOLDER) -> list[str]:
    """What lies under the root after all is done: blobs and one model, nothing else."""
    hashes = {computed(body).sha256 for body in files.values()}
    blobs = [f"blobs/sha256/{sha256[:2]}/{sha256}" for sha256 in hashes]
    return sorted([*blobs, *(f"{folder}/{path}" for path in (*files, "model.json"))])


def installed_bytes(store: Store, folder: str = FOLDER) -> dict[str, bytes]:
    paths = [path for path in (store.root / folder).rglob("*") if path.is_file()]
    named = {str(path.relative_to(store.root / folder)): path for path in paths}
    return {name: path.read_bytes() for name, path in named.items() if name != "model.json"}
