"""What a person decides about a file in quarantine."""

from __future__ import annotations

from typing import Any

import structlog

from downloader import configured
from downloader.library.checksums import Computed
from downloader.models import Download
from registry import auditing

log = structlog.get_logger(__name__)

PLACE = "Quarantine"


def release(id_: str, *, name: str, reason: str, by: Any = None) -> Computed:
    """Trust its bytes from now on; `name` and `reason` are kept with them."""
    store = configured.store()
    held = _told(id_)
    computed = store.release(id_, by=name, reason=reason)
    log.warning("quarantine_released", id=id_, by=name, reason=reason, sha256=computed.sha256)
    told = f"reason: {reason.rstrip('.')}"
    _note(by, "trusted", {**held, "sha256": computed.sha256}, told)
    return computed


def discard(id_: str, *, by: Any = None) -> int:
    """Delete it; how many bytes are free again."""
    held = _told(id_)
    freed = configured.store().discard(id_)
    log.info("quarantine_discarded", id=id_)
    _note(by, "discarded", held)
    return freed


def _told(id_: str) -> dict[str, str]:
    suspect = configured.store().suspect(id_)
    file = {"file": suspect.path, "source": suspect.source_uri} if suspect else {}
    return {**file, "id": id_}


def _note(by: Any, done: str, held: dict[str, str], reason: str = "") -> None:
    """A file is no row: the entry stands among those about downloads. The reason is told whole."""
    auditing.note_place(Download, PLACE, by, auditing.sentence(done, auditing.facts(held), reason))
