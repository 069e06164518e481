"""What bytes a planned file is, in the same words for whoever fetches it, and the lock for it.

A large file with a digest has its own lock, under its digest: it may belong to several models. The
small ones of a revision share one: a lock for each would cost more than it saves.
"""

from __future__ import annotations

from downloader.library.plan import Plan, PlannedFile
from downloader.library.remote import RemoteFile

SMALL_BYTES = 8 << 20


def identity(plan: Plan, planned: PlannedFile) -> str:
    """The key of the partial file, which only the holder of `lock_name` writes."""
    if _is_large(planned.file):
        return str(planned.file.digest)
    return f"{_revision(plan)}#{planned.file.key}"


def lock_name(plan: Plan, planned: PlannedFile) -> str:
    return str(planned.file.digest) if _is_large(planned.file) else _revision(plan)


def is_named(planned: PlannedFile) -> bool:
    """The source publishes what blobs are named by."""
    return planned.file.digest is not None and planned.file.digest.algorithm == "sha256"


def _is_large(file: RemoteFile) -> bool:
    strong = file.digest is not None and file.digest.strong
    return strong and (file.size is None or file.size >= SMALL_BYTES)


def _revision(plan: Plan) -> str:
    resolved = plan.resolved
    return f"{resolved.ref.scheme}:{resolved.repo_id}@{resolved.commit}"
