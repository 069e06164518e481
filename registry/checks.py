"""Whether what the database says of models is what lies on the disk: sizes and names, no hashing.

A model whose folder, `model.json` or files are gone, or have another size, is marked not installed
(and so disabled). One that is whole again is marked installed and stays disabled, and a folder that
no row knows is recorded, disabled as well: only an operator enables. So a models root can move to a
new machine. While the root itself cannot be read nothing is judged.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from registry import catalog
from registry.descriptors import FILE_NAME, Descriptor, InstalledFile
from registry.errors import InvalidDescriptor, UnknownModel
from registry.kinds import KINDS
from registry.models import Model

log = structlog.get_logger(__name__)

LARGEST_DESCRIPTOR = 16 * 2**20
AT_ONCE = 200
FINDINGS = ("missing", "unusable", "found", "recorded")


class RootUnreadable(Exception):
    """The models root is not there, or cannot be read: no word on any model."""


@dataclass
class Report:
    """Each list holds one line a model or folder."""

    checked: int = 0
    missing: list[str] = field(default_factory=list)  # marked not installed
    unusable: list[str] = field(default_factory=list)  # could not be judged
    found: list[str] = field(default_factory=list)  # marked installed again
    recorded: list[str] = field(default_factory=list)  # were unknown


def at_start() -> dict[str, int] | str:
    """For a process that starts: each change is in the log, and the answer sums them up."""
    try:
        report = run()
    except RootUnreadable as error:
        log.warning("models_not_checked", reason=str(error))
        return "not checked"
    finally:
        if not connection.in_atomic_block:
            connection.close()  # the thread of this check ends with it
    return {"checked": report.checked, **{word: len(getattr(report, word)) for word in FINDINGS}}


def run() -> Report:
    """Look at every model and every folder, and put the rows right."""
    root = Path(settings.MODELS_ROOT)
    try:
        os.scandir(root).close()
    except OSError as error:
        raise RootUnreadable(f"{root} cannot be read: {error.strerror}.") from error
    report = Report()
    known = _check_rows(root, report)
    _record_strangers(root, known, report)
    return report


def fault(root: Path, local_path: str, files: tuple[InstalledFile, ...]) -> str | None:
    """What is wrong with a model's folder, in words; None when nothing is."""
    folder = root / local_path
    try:
        if not local_path or not stat.S_ISDIR(folder.lstat().st_mode):
            return "its folder is gone"
        folder.joinpath(FILE_NAME).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "its folder or model.json is gone"
    for file in files:
        try:
            size = folder.joinpath(file.path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return f"{file.path} is gone"
        if size != file.size:
            return f"{file.path} has {size} bytes instead of {file.size}"
    return None


def _check_rows(root: Path, report: Report) -> set[str]:
    """The folders that rows speak of. A row that seems wrong is looked at once more, afresh: a
    model may have been installed again under our eyes."""
    known, suspects = set(), []
    for model in _rows().iterator(chunk_size=AT_ONCE):
        report.checked += 1
        known.add(model.local_path)
        if _verdict(root, model) != model.installed:
            suspects.append(model.pk)
    for model_id in suspects:
        for suspect in _rows().filter(pk=model_id):
            _settle(root, suspect, report)
    return known


def _rows() -> QuerySet[Model]:
    fields = ("name", "version", "installed", "local_path", "files_json")
    return Model.objects.order_by("id").only(*fields)


def _verdict(root: Path, model: Model) -> bool | None:
    """Whether it is whole; None when that cannot be told."""
    try:
        return fault(root, model.local_path, model.files) is None
    except OSError:
        return None


def _settle(root: Path, model: Model, report: Report) -> None:
    try:
        why = fault(root, model.local_path, model.files)
        if why and model.installed:
            log.warning("model_vanished", model_id=str(model.pk), model=str(model), reason=why)
            catalog.mark_missing(model.pk, why)
            report.missing.append(f"{model}: {why}")
        elif why is None and not model.installed:
            catalog.mark_found(model.pk)
            report.found.append(str(model))
    except OSError as error:  # a disk or a share with a fault of its own
        log.warning("model_not_checked", model_id=str(model.pk), reason=str(error.strerror))
        report.unusable.append(f"{model}: {error.strerror}")
    except UnknownModel:
        log.info("model_removed_meanwhile", model_id=str(model.pk))


def _record_strangers(root: Path, known: set[str], report: Report) -> None:
    for local_path in _folders(root):
        if local_path in known:
            continue
        try:
            descriptor = _described(root, local_path)
        except (InvalidDescriptor, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            report.unusable.append(f"{local_path}: {reason}")
            log.warning("folder_not_recorded", folder=local_path, reason=reason)
            continue
        if _is_new(descriptor):
            model = catalog.record(descriptor)
            report.recorded.append(str(model))


def _is_new(descriptor: Descriptor) -> bool:
    """A second folder of a model that stands elsewhere changes nothing."""
    return not Model.objects.filter(
        kind=descriptor.kind,
        name=descriptor.name,
        version=descriptor.version,
        installed=True,
    ).exists()


def _folders(root: Path) -> Iterator[str]:
    """`<kind>/<folder>`, wherever a model.json may lie; links are not followed."""
    for kind in KINDS:
        try:
            with os.scandir(root / kind) as entries:
                names = sorted(
                    entry.name for entry in entries if entry.is_dir(follow_symlinks=False)
                )
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            if os.path.lexists(root / kind / name / FILE_NAME):
                yield f"{kind}/{name}"


def _described(root: Path, local_path: str) -> Descriptor:
    """What the folder says of itself, if the folder is as it says."""
    data = _read(root / local_path / FILE_NAME)
    try:
        descriptor = Descriptor.from_json(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise InvalidDescriptor("model.json is not JSON") from error
    if descriptor.kind != local_path.partition("/")[0]:
        raise InvalidDescriptor(f"model.json says that it is of kind {descriptor.kind}")
    why = fault(root, local_path, descriptor.files) or _strays(root, local_path, descriptor)
    if why:
        raise InvalidDescriptor(why)
    return replace(descriptor, local_path=local_path, installed=True).checked()


def _strays(root: Path, local_path: str, descriptor: Descriptor) -> str | None:
    """A file that is a link out of the models root was put there by nobody's installation."""
    inside = root.resolve()
    for file in descriptor.files:
        if not root.joinpath(local_path, file.path).resolve().is_relative_to(inside):
            return f"{file.path} lies outside the models root"
    return None


def _read(path: Path) -> bytes:
    """A plain file of a sane size; a link or a pipe in its place is refused."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InvalidDescriptor("model.json is no plain file")
        data = file.read(LARGEST_DESCRIPTOR + 1)
    if len(data) > LARGEST_DESCRIPTOR:
        raise InvalidDescriptor(f"model.json is larger than {LARGEST_DESCRIPTOR} bytes")
    return data
