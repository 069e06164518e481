"""A folder that was there before becomes a revision: its files become blobs, and are shown.

The order keeps everything at every moment: the descriptor names the blobs before they are made, so
that nothing collects them; then each file is taken; what could not be taken leaves the descriptor.
A folder that lies where its revision is shown is not built anew, it only gets the descriptor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from downloader.library import adoption, install, revisions
from downloader.library.checksums import Computed
from downloader.library.errors import Canceled, DownloadError, NoSpace
from downloader.library.layouts import Candidate, Seen
from downloader.library.revisions import Revision
from downloader.library.store import REVISION_DESCRIPTOR, Claim, Store
from downloader.library.watch import Control, Observer

QUIET = Observer()


@dataclass(frozen=True)
class Taken:
    """A file to adopt, and the path that its revision shows it at."""

    shown_as: str
    seen: Seen
    computed: Computed


@dataclass(frozen=True)
class Adopted:
    """`revision`: what is shown now; None when not one file could be taken. `now`: what lies in the
    place of each file, by the candidate's path; `left`: why not, likewise."""

    revision: Revision | None
    now: Mapping[str, Seen]
    left: Mapping[str, str]


def adopt(
    store: Store,
    candidate: Candidate,
    wanted: Revision,
    files: tuple[Taken, ...],
    control: Control,
    taken: Callable[[Taken], None] = lambda _file: None,
) -> Adopted:
    """`wanted` names every file of `files`."""
    in_place = is_in_place(candidate, wanted, files)
    with store.claim(file.computed.sha256 for file in files) as claim:
        _show(wanted, store, claim, in_place=in_place)
        now, left = _take(store, candidate, files, claim, control, taken)
        lost = {file.shown_as for file in files if file.seen.path in left}
        whole = replace(wanted, files=tuple(f for f in wanted.files if f.path not in lost))
        if lost:
            _withdraw(whole, lost, store, in_place=in_place)
        shown = _show(whole, store, claim, in_place=in_place) if whole.files else None
    return Adopted(shown, now, left)


def is_in_place(candidate: Candidate, wanted: Revision, files: tuple[Taken, ...]) -> bool:
    same_names = all(file.shown_as == file.seen.path for file in files)
    return wanted.folder == candidate.folder and same_names


def _take(
    store: Store,
    candidate: Candidate,
    files: tuple[Taken, ...],
    claim: Claim,
    control: Control,
    taken: Callable[[Taken], None],
) -> tuple[dict[str, Seen], dict[str, str]]:
    now: dict[str, Seen] = {}
    left: dict[str, str] = {}
    for file in files:
        control.check()
        path = file.seen.path
        try:
            now[path] = adoption.take(store, candidate.folder, file.seen, file.computed, claim)
        except (Canceled, NoSpace):
            raise
        except DownloadError as error:
            left[path] = error.message
        else:
            taken(file)
    return now, left


def _show(wanted: Revision, store: Store, claim: Claim, *, in_place: bool) -> Revision:
    if not in_place:
        return revisions.publish(wanted, store, claim)
    described = _describe(wanted, store)
    revisions.relink(described, store, claim)
    return described


def _describe(wanted: Revision, store: Store) -> Revision:
    """Write the descriptor into the folder as it is; the same one again changes nothing."""
    folder = wanted.folder
    with store.lock(f"revision:{folder}", Control(), QUIET):
        standing = revisions.standing_at(folder, store)
        if standing is not None and replace(standing, written_at="") == wanted:
            return standing
        made = replace(wanted, written_at=install.now())
        with store.layout.below(*folder.parts, create=False) as opened:
            opened.replace(REVISION_DESCRIPTOR, revisions.encoded(made))
        return made


def _withdraw(whole: Revision, lost: set[str], store: Store, *, in_place: bool) -> None:
    if not in_place:
        revisions.withdraw(whole.folder, lost, store)
    elif whole.files:
        _describe(whole, store)
    else:
        with store.layout.below(*whole.folder.parts, create=False) as opened:
            opened.forget(REVISION_DESCRIPTOR)
