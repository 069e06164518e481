"""Taking a model away: its folder, its row, and the bytes that nothing else uses."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from downloader import configured
from downloader.library import install
from downloader.library.errors import NotFound
from registry import catalog
from registry.models import Model


@dataclass(frozen=True)
class Removal:
    removed: bool
    freed_bytes: int
    kept_bytes: int


def remove(model: Model, *, dry_run: bool = False, by: Any = None) -> Removal:
    """Jobs that wait for it fail; a process that has it open keeps its bytes until it ends. It is
    disabled first: a job that starts now must not find half a folder."""
    freed = 0
    if not dry_run:
        catalog.disable(model.pk, by=by)
    if model.local_path:
        with suppress(NotFound):  # somebody removed the folder by hand: the row still goes
            folder = PurePosixPath(model.local_path)
            freed = install.remove(folder, configured.store(), dry_run=dry_run).freed_bytes
    if not dry_run:
        catalog.forget(model.pk, by=by)
    return Removal(not dry_run, freed, max(0, model.size_bytes - freed))
