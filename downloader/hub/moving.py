"""Moving the store, or one repository, to another models root: copy, verify, and only then, if the
operator says so, delete at the old place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from downloader.hub import removal
from downloader.hub.models import Repo
from downloader.library import layouts, moving
from downloader.library.errors import Busy, InvalidFile, Refused, WrongPlace
from downloader.library.moving import Moved, Plan, Told
from downloader.library.store import Store
from downloader.library.watch import Control
from registry import auditing

PLACE = "The models root"
LOCK = "move"


@dataclass(frozen=True)
class Outcome:
    """`left`: files at the old place that the store does not know; they stay there."""

    moved: Moved
    plan: Plan
    freed_bytes: int
    left: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "copied": self.moved.copied,
            "copied_bytes": self.moved.copied_bytes,
            "here": self.moved.here,
            "folders": self.moved.folders,
            "bytes_total": self.plan.bytes_total,
            "damaged": self.moved.damaged,
            "missing": self.moved.missing,
            "freed_bytes": self.freed_bytes,
            "left_count": len(self.left),
            "left": list(self.left[:100]),
        }


def move(
    source: Store,
    root: Path,
    control: Control,
    told: Told,
    *,
    repo: Repo | None = None,
    delete_old: bool = False,
    by: Any = None,
) -> Outcome:
    """Run again it goes on where it ended. Nothing is deleted while a single blob is not right.
    Busy while another move goes there."""
    if not root.is_absolute():
        raise WrongPlace("Name the new root by its whole path.")
    moving.check_places(source.root, root)
    made = _planned(source, repo)
    if repo is not None and not made.folders:
        raise Refused(f"Nothing of {repo} is here to be moved.")
    target = Store(root)
    lease = target.lock_now(LOCK)
    if lease is None:
        raise Busy(f"Another move to {root} is running. Start again when it is over.")
    try:
        outcome = _move(
            source, target, made, control, told, repo=repo, delete_old=delete_old, by=by
        )
        _note(outcome, root, repo, delete_old, by)
        return outcome
    finally:
        target.let_go(lease)


def _planned(source: Store, repo: Repo | None) -> Plan:
    return moving.plan(source, _folders(repo, source) if repo else None)


def _move(
    source: Store,
    target: Store,
    made: Plan,
    control: Control,
    told: Told,
    *,
    repo: Repo | None,
    delete_old: bool,
    by: Any,
) -> Outcome:
    moved = moving.copy(source, target, made, control, told)
    wrong = moving.verify(target, made, control, told) if made.sizes else []
    wrong = [sha256 for sha256 in wrong if sha256 not in moved.damaged]
    if wrong:
        raise InvalidFile(f"{len(wrong)} blobs did not arrive whole, such as {wrong[0]}.")
    freed = 0
    if delete_old:
        _refuse_incomplete(moved)
        _refuse_changed(made, _planned(source, repo))
        freed = _delete(source, made, repo, by)
    return Outcome(moved, made, freed, _left(source) if repo is None else ())


def _folders(repo: Repo, source: Store) -> list[PurePosixPath]:
    shown = [PurePosixPath(one.folder) for one in repo.snapshots.all() if one.folder]
    return [folder for folder in shown if (source.root / folder).is_dir()]


def _refuse_incomplete(moved: Moved) -> None:
    if moved.damaged or moved.missing:
        raise InvalidFile(
            f"{len(moved.damaged)} blobs are damaged and {len(moved.missing)} missing at the old "
            "place, so nothing is deleted there. Verify and repair them, and move again."
        )


def _refuse_changed(made: Plan, now: Plan) -> None:
    if (now.sizes, now.folders) != (made.sizes, made.folders):
        raise Busy(
            "The old place has changed while it was copied, so nothing is deleted there. Stop what "
            "downloads to it, and move again."
        )


def _note(outcome: Outcome, root: Path, repo: Repo | None, delete_old: bool, by: Any) -> None:
    facts = {"to": str(root), "files": outcome.moved.copied, "old place deleted": delete_old}
    message = auditing.sentence("copied", auditing.facts(facts))
    if repo is None:
        auditing.note_place(Repo, PLACE, by, message)
    else:
        auditing.note(repo, by, message)


def _delete(source: Store, made: Plan, repo: Repo | None, by: Any) -> int:
    if repo is not None:
        return removal.remove(repo, by=by).freed_bytes
    return moving.delete(source, made)


def _left(source: Store) -> tuple[str, ...]:
    found = []
    for one in layouts.look(source.root, PurePosixPath()):
        if isinstance(one, layouts.Stray):
            found.append(one.path)
        elif isinstance(one, layouts.Candidate):
            found += [str(one.folder / seen.path) for seen in one.files]
    return tuple(found)
