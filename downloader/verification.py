"""Hashing installed models again, repairing them, and what the registry then says."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from downloader import configured
from downloader.configured import Tools, Wanted
from downloader.library import acquisition, install
from downloader.library.checksums import Trust
from downloader.library.errors import DownloadError, InvalidRef, NotFound
from downloader.library.install import FileVerdict, State
from downloader.library.refs import Ref
from downloader.library.watch import Control, Observer
from registry import catalog, selection
from registry.errors import UnknownModel
from registry.models import Model

QUIET = Observer()


@dataclass(frozen=True)
class Verdict:
    """`states` by path, as found; `repaired`: paths that are whole again. `gone`: not even the
    folder is there."""

    model_id: uuid.UUID
    name: str
    states: Mapping[str, State] = field(default_factory=dict)
    trust: Mapping[str, str] = field(default_factory=dict)
    repaired: tuple[str, ...] = ()
    gone: str = ""

    @property
    def broken(self) -> dict[str, State]:
        """Paths that are missing or damaged now."""
        repaired = set(self.repaired)
        found = self.states.items()
        return {p: state for p, state in found if state is not State.WHOLE and p not in repaired}

    @property
    def whole(self) -> bool:
        return not self.gone and not self.broken

    @property
    def differed(self) -> bool:
        """Whether anything was wrong when it was looked at, repaired or not."""
        return bool(self.gone) or any(s is not State.WHOLE for s in self.states.values())

    def count(self, state: State) -> int:
        return Counter(self.states.values())[state]

    @property
    def told(self) -> str:
        if self.gone:
            return f"{self.name}: {self.gone}"
        return (
            f"{self.name}: {len(self.states)} files, {self.count(State.MISSING)} missing, "
            f"{self.count(State.CORRUPT)} corrupt, {len(self.repaired)} repaired."
        )


def chosen(ids: Sequence[uuid.UUID] | None) -> list[Model]:
    """The models named, or every one that has ever been installed; UnknownModel for a stranger."""
    if ids is None:
        return list(Model.objects.exclude(local_path="").order_by("kind", "name", "version"))
    found = {model.pk: model for model in Model.objects.filter(pk__in=ids)}
    for wanted in ids:
        if wanted not in found:
            raise UnknownModel(f"There is no model {wanted}.")
    return [found[wanted] for wanted in ids]


def meant(text: str) -> list[Model]:
    """The model of this id or name, else every one that this reference would have brought; both
    may be without the commit or version that they got. UnknownModel when there is none."""
    try:
        return [selection.named(text)]
    except UnknownModel:
        try:
            wanted = configured.parse(text)
        except InvalidRef:
            wanted = None
        found = [model for model in chosen(None) if wanted and _came_by(model, wanted)]
        if not found:
            raise
    return found


def _came_by(model: Model, wanted: Ref) -> bool:
    try:
        source = configured.parse(model.source_uri)
    except DownloadError:  # of a source that is no longer allowed
        return False
    revisions = (None, source.revision, model.provenance.get("revision"))
    selections = ((), source.selection)
    return (
        (source.scheme, source.target) == (wanted.scheme, wanted.target)
        and wanted.revision in revisions
        and wanted.selection in selections
    )


def examine(
    model: Model,
    tools: Tools,
    control: Control,
    observer: Observer = QUIET,
    *,
    repair: bool = False,
) -> Verdict:
    """Read every byte of the model's files; with `repair`, fetch again what is damaged. Touches no
    database."""
    folder = PurePosixPath(model.local_path)
    try:
        if repair:
            return _repaired(model, folder, tools, control, observer)
        return _verdict(model, install.verify(folder, tools.store, control, observer))
    except NotFound as error:
        if repair:
            _fetch(model, tools, control, observer)
            verdict = _verdict(model, install.verify(folder, tools.store, control, observer))
            return Verdict(
                model.pk, str(model), _all_missing(verdict), verdict.trust, tuple(verdict.states)
            )
        return Verdict(model.pk, str(model), gone=error.message)


def settle(model: Model, verdict: Verdict, *, by: Any = None) -> None:
    """Write down what was found. A model that is not whole is disabled; nothing enables one."""
    if verdict.gone or State.MISSING in verdict.broken.values():
        catalog.mark_missing(model.pk, verdict.told, by=by)
        return
    damaged = dict.fromkeys(verdict.broken, Trust.MISMATCH.value)
    catalog.judge(model.pk, {**verdict.trust, **damaged}, by=by)
    if verdict.whole and not model.installed:
        catalog.mark_found(model.pk, by=by)


def _repaired(
    model: Model, folder: PurePosixPath, tools: Tools, control: Control, observer: Observer
) -> Verdict:
    repaired = install.repair(folder, tools.store, control, observer)
    found = _verdict(model, repaired.verdicts)
    put_back = [*repaired.relinked]
    if repaired.wanted:
        _fetch(model, tools, control, observer)
        put_back += repaired.wanted
    return Verdict(model.pk, str(model), found.states, found.trust, tuple(put_back))


def _fetch(model: Model, tools: Tools, control: Control, observer: Observer) -> None:
    """The same model again from where it came; what is whole is not fetched twice."""
    wanted = Wanted(model.source_uri, model.kind, model.name, model.version)
    source, plan = configured.prepare(wanted, tools, control)
    acquisition.acquire(source, plan, tools.store, tools.engine, control, observer)


def _verdict(model: Model, verdicts: Sequence[FileVerdict]) -> Verdict:
    return Verdict(
        model.pk,
        str(model),
        {verdict.file.path: verdict.state for verdict in verdicts},
        {verdict.file.path: verdict.file.trust for verdict in verdicts},
    )


def _all_missing(verdict: Verdict) -> dict[str, State]:
    return dict.fromkeys(verdict.states, State.MISSING)
