"""What a revision folder says of itself, as far as its place, its names and its bytes bear it out.

The descriptor may have come with the folder, from anybody: a folder joins the rows only as what it
is, and a file as verified only where the bytes have the digest that it names.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from downloader.hub import registering
from downloader.hub.errors import HubError
from downloader.hub.matching import LOCAL, LONGEST_NAME
from downloader.hub.snapshots import storable
from downloader.library.bundles.parsing import COMMIT
from downloader.library.checksums import Digest, Trust, judge
from downloader.library.errors import DownloadError, InvalidFile, NotFound
from downloader.library.refs import Ref
from downloader.library.revisions import Revision
from downloader.library.store import Store
from downloader.library.watch import Control
from registry.descriptors import UNSTORABLE, InstalledFile


def checked(shown: Revision, folder: PurePosixPath, store: Store, control: Control) -> Revision:
    """With the files whose bytes are here. InvalidFile when it says what cannot be so."""
    if shown.folder != folder:
        raise InvalidFile(f"says that it is {str(shown.folder)[:200]}, which is another folder.")
    if not COMMIT.fullmatch(shown.commit) or not _is_named(shown):
        raise InvalidFile("says that it is of a repository that there cannot be.")
    overridden = {said.sha256 for said in store.overrides()}
    here = (file for file in shown.files if store.has(file.sha256, file.size))
    files = tuple(_proved(file, store, control, overridden) for file in here)
    if not all(storable(file.path) for file in files):
        raise InvalidFile("names a file that no database can keep.")
    return replace(shown, files=files)


def _is_named(shown: Revision) -> bool:
    author, _, name = shown.repo.rpartition("/")
    if shown.source == LOCAL:
        return max(len(author), len(name)) <= LONGEST_NAME and not UNSTORABLE.search(shown.repo)
    if shown.source != registering.SOURCE:
        return False
    try:
        ref = registering.read(shown.repo)
        return ref.target == shown.repo and bool(
            registering.checked_revision(Ref(ref.scheme, ref.target), shown.revision)
        )
    except (DownloadError, HubError):
        return False


def _proved(
    file: InstalledFile, store: Store, control: Control, overridden: set[str]
) -> InstalledFile:
    if file.trust == Trust.VERIFIED and agrees(file.sha256, file.source_digest, store, control):
        return file
    if file.trust == Trust.VERIFIED:
        raise InvalidFile(f"says that {file.path[:200]} was verified, and its bytes are others.")
    trust = Trust.OVERRIDDEN if file.sha256 in overridden else Trust.LOCAL
    return replace(file, trust=trust.value)


def agrees(sha256: str, digest: str | None, store: Store, control: Control) -> bool:
    """Whether the blob has this digest of a source. It is read, but for a SHA-256: that is its
    name."""
    algorithm, _, value = (digest or "").partition(":")
    if algorithm == "sha256":
        return value == sha256
    try:
        wanted = Digest(algorithm, value)
        computed = store.hash_blob(sha256, (algorithm,), control)
    except (NotFound, ValueError):
        return False
    return judge(wanted, computed) is Trust.VERIFIED
