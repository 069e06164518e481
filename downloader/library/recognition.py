"""Which kind of model the bytes are, once they are here: their tensors are the best witness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from downloader.library.install import Stored
from downloader.library.plan import Plan, PlannedFile
from downloader.library.safetensors import read_header
from downloader.library.store import Store
from registry.kinds import LAYOUT_FILE, FileFacts, Shape, guess

LAYOUT_BYTES = 1 << 20


def recognised(plan: Plan, stored: Mapping[str, Stored], store: Store) -> Plan:
    """The plan, with the folder of the kind that the tensors show, unless somebody named one."""
    if plan.kind_given:
        return plan
    facts = [_facts(file, stored[file.path], store) for file in plan.files]
    tensors = {
        file.path: _shapes(stored[file.path], store)
        for file in plan.files
        if file.path.casefold().endswith(".safetensors")
    }
    kind = guess(plan.resolved.kind_hint, facts, tensors)
    if kind == plan.kind:
        return plan
    return replace(plan, kind=kind, folder=PurePosixPath(kind, plan.folder.name))


def _facts(planned: PlannedFile, stored: Stored, store: Store) -> FileFacts:
    text = None
    if PurePosixPath(planned.path).name == LAYOUT_FILE:
        with store.blob(stored.sha256).open("rb") as file:
            text = file.read(LAYOUT_BYTES).decode(errors="replace")
    return FileFacts(planned.path, stored.size, text)


def _shapes(stored: Stored, store: Store) -> Mapping[str, Shape]:
    header = read_header(store.blob(stored.sha256))
    return {name: tensor.shape for name, tensor in header.tensors.items()}
