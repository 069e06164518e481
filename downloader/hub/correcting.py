"""A commit whose files were listed from the disk gets its source's own list. A commit never
changes: what its source does not say of it was never so, whoever said it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from downloader.hub.models import RepoFile, Snapshot
from downloader.library.checksums import Trust
from downloader.library.remote import RemoteFile
from downloader.library.watch import FileState

ROWS_AT_ONCE = 500
FIELDS = ("size_bytes", "digest", "status", "sha256", "trust", "verified_at")


def complete(
    snapshot: Snapshot, listed: Sequence[RemoteFile], made: Callable[[RemoteFile], RepoFile]
) -> None:
    """Add what is not known of the commit yet."""
    known = set(snapshot.files.values_list("path", flat=True))
    rows = [made(file) for file in listed if file.path not in known]
    RepoFile.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)


def correct(snapshot: Snapshot, listed: Sequence[RemoteFile]) -> None:
    """What is listed otherwise becomes as it is listed; bytes that are not those are not here."""
    said = {file.path: file for file in listed}
    rows = list(snapshot.files.all())
    wrong = [row for row in rows if row.path in said and not _is_said(row, said)]
    for row in wrong:
        _make_right(row, said[row.path])
    RepoFile.objects.bulk_update(wrong, FIELDS, batch_size=ROWS_AT_ONCE)
    unsaid = [row.pk for row in rows if row.path not in said]
    for at in range(0, len(unsaid), ROWS_AT_ONCE):
        RepoFile.objects.filter(pk__in=unsaid[at : at + ROWS_AT_ONCE]).delete()


def _is_said(row: RepoFile, said: Mapping[str, RemoteFile]) -> bool:
    file = said[row.path]
    return row.digest == str(file.digest or "")


def _make_right(row: RepoFile, file: RemoteFile) -> None:
    row.digest = str(file.digest or "")
    same = file.size in (None, row.size_bytes)
    if row.is_here and same and row.digest in ("", f"sha256:{row.sha256}"):
        row.trust = Trust.VERIFIED if row.digest else Trust.LOCAL
        return
    row.size_bytes = file.size
    row.status, row.trust = FileState.PENDING, Trust.UNVERIFIED
    row.sha256, row.verified_at = "", None
