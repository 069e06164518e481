"""Where things lie below the models root.

blobs/sha256/<2 hex>/<hash>           the bytes of every file, once, read-only
<kind>/<name>@<version>/…             a model: links, and `model.json`
<author>/<repo>/<revision>/…          a mirrored revision: links, and `.dreamforge.json`
.staging/<hash>.part                  what is being fetched, beside its ledger
.staging/build-…/                     a folder before it is renamed to its place
.staging/claims/                      what acquisitions in progress need
.quarantine/<id>/{bytes,record.json}  bytes that are not what their source names
.quarantine/overrides/<hash>.json     bytes an operator trusts all the same
.locks/  .trash/                      locks; folders on their way out
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from downloader.library.errors import UnsafeName
from downloader.library.store.folders import Folder

MODEL_DESCRIPTOR = "model.json"
REVISION_DESCRIPTOR = ".dreamforge.json"
SHA256 = re.compile(r"[0-9a-f]{64}")
# A file system keeps what it repaired in lost+found, for root alone.
OWN = frozenset({"blobs", "lost+found"})


class Layout:
    """Opens the store's own directories, making them as they are needed."""

    BLOBS = "blobs"
    STAGING = ".staging"
    TRASH = ".trash"
    QUARANTINE = ".quarantine"

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def top(self) -> Iterator[Folder]:
        with Folder.at(self.root, create=True) as root:
            yield root

    @contextmanager
    def below(self, *names: str, create: bool = True) -> Iterator[Folder]:
        with Folder.at(self.root, create=create) as root, root.sub(*names, create=create) as folder:
            yield folder

    @contextmanager
    def staging(self) -> Iterator[Folder]:
        with self.below(self.STAGING) as folder:
            yield folder

    @contextmanager
    def blobs(self, sha256: str, *, create: bool = True) -> Iterator[Folder]:
        """The directory that holds, or will hold, this blob."""
        with self.below(*blob_parts(sha256)[:-1], create=create) as folder:
            yield folder

    def blob(self, sha256: str) -> Path:
        return Path("/".join((str(self.root), *blob_parts(sha256))))


def blob_parts(sha256: str) -> tuple[str, ...]:
    if not SHA256.fullmatch(sha256):
        raise UnsafeName("Not the name of a blob: it is 64 lower-case hexadecimal digits.")
    return (Layout.BLOBS, "sha256", sha256[:2], sha256)


def view_parts(folder: PurePosixPath) -> tuple[str, ...]:
    """The parts of a folder of links, refused where it would reach outside the root or into the
    store's own directories."""
    parts = folder.parts
    own = parts and (parts[0].startswith(".") or parts[0].casefold() in OWN)
    if len(parts) < 2 or own or any(not _plain(part) for part in parts):
        raise UnsafeName(f"Not a place for a folder of links: {str(folder)!r}.")
    return parts


def file_parts(path: str) -> tuple[str, ...]:
    """The parts of a file in such a folder. `safety` has judged names; this only keeps them in."""
    parts = tuple(path.split("/"))
    if any(not _plain(part) for part in parts):
        raise UnsafeName(f"Not a path inside a folder: {path!r}.")
    return parts


def _plain(part: str) -> bool:
    return part not in ("", ".", "..") and "/" not in part and "\0" not in part
