"""Whether a file's bytes are in the store already, whoever brought them and under whatever name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from downloader.library import install
from downloader.library.checksums import Digest, Trust
from downloader.library.errors import DownloadError, NotFound
from downloader.library.identities import identity, is_named, lock_name
from downloader.library.install import Stored
from downloader.library.plan import Plan, PlannedFile
from downloader.library.publishing import Judging
from downloader.library.store import Claim, Notes, References, Store
from downloader.library.watch import Control
from registry.descriptors import InstalledFile
from registry.kinds import KINDS


class Finding:
    """Blobs are named by SHA-256. A file of which the source publishes that is found by name; for
    others there are leads: what a descriptor says of their digest, what a run noted that did not
    come to its end, what was installed from the same commit, what an operator released."""

    def __init__(self, plan: Plan, judging: Judging, store: Store, control: Control) -> None:
        self._plan = plan
        self._judging = judging
        self._store = store
        self._control = control
        self._standing: Mapping[str, InstalledFile] = {}
        self._noted = Notes({})
        self._known: References | None = None

    def look(self, files: Iterable[PlannedFile], claim: Claim) -> None:
        """Look anew, and claim every blob that `find` may answer with for `files`."""
        files = list(files)
        # Notes before descriptors: a note is removed when a descriptor has taken its place.
        names = {lock_name(self._plan, file) for file in files if not is_named(file)}
        self._noted = self._store.notes(sorted(names))
        self._standing = _standing(self._plan, self._store)
        self._known = None
        claim.add(blobs={sha256 for file in files for sha256, _ in self._leads(file)})

    def find(self, planned: PlannedFile) -> Stored | None:
        for sha256, trust in self._leads(planned):
            size = self._store.size(sha256)
            if size is None or (trust is Trust.VERIFIED and planned.file.size not in (None, size)):
                continue
            if self._proves(planned, sha256, trust):
                return Stored(sha256, size, trust)
        return None

    def _leads(self, planned: PlannedFile) -> list[tuple[str, Trust]]:
        """Blobs that may be this file, and what it would be trusted as."""
        digest = planned.file.digest
        leads: list[tuple[str, Trust]] = []
        if digest is not None and is_named(planned):
            leads.append((digest.value, Trust.VERIFIED))
        else:
            trust = Trust.VERIFIED if digest is not None and digest.strong else Trust.LOCAL
            leads += [(sha256, trust) for sha256 in self._unnamed(planned, trust)]
        override = self._judging.overridden(planned)
        return [*leads, (override.sha256, Trust.OVERRIDDEN)] if override else leads

    def _unnamed(self, planned: PlannedFile, trust: Trust) -> Iterable[str]:
        noted = self._noted.get(identity(self._plan, planned))
        if noted:
            yield noted
        if trust is Trust.VERIFIED:
            if self._known is None:
                self._known = self._store.known()
            known = self._known.by_digest.get(str(planned.file.digest))
            if known:
                yield known
        else:
            yield from self._unchanged(planned)

    def _unchanged(self, planned: PlannedFile) -> Iterable[str]:
        """A file without a digest is the one that is installed here from the same commit."""
        file = self._standing.get(planned.path)
        if file is not None and planned.file.size in (None, file.size):
            yield file.sha256

    def _proves(self, planned: PlannedFile, sha256: str, trust: Trust) -> bool:
        digest = planned.file.digest
        if trust is not Trust.VERIFIED or digest is None or is_named(planned):
            return True
        return self._agrees(digest, sha256)

    def _agrees(self, digest: Digest, sha256: str) -> bool:
        """What is said of other digests is only a hint: the blob is read."""
        try:
            computed = self._store.hash_blob(sha256, (digest.algorithm,), self._control)
        except NotFound:
            return False
        return computed.sha256 == sha256 and computed.value(digest.algorithm) == digest.value


def _standing(plan: Plan, store: Store) -> Mapping[str, InstalledFile]:
    """The files that were installed under this name from the same commit, as whatever kind their
    bytes turned out to be."""
    kinds = (plan.kind,) if plan.kind_given else KINDS
    pinned = (plan.resolved.source_uri, plan.resolved.commit)
    for kind in kinds:
        try:
            standing = install.read(PurePosixPath(kind, plan.folder.name), store)
        except DownloadError:
            continue
        if (standing.source_uri, standing.provenance.get("commit")) == pinned:
            return {file.path: file for file in standing.files}
    return {}
