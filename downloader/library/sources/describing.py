"""From what a source resolved to the registry's descriptor, the same way for every source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from downloader.library.remote import Resolved
from registry.descriptors import Descriptor
from registry.parameters import capabilities_for, schema_for

UNKNOWN_KIND = "other"


def describe(resolved: Resolved, *, source: str, **ids: str) -> Descriptor:
    """What is known before a byte has arrived; `install` fills in files, digests and paths.

    `ids` are the source's own names for the model, such as `repo` or `version_id`.
    """
    kind = resolved.kind_hint or UNKNOWN_KIND
    return Descriptor(
        id=uuid4(),
        name=resolved.name,
        kind=kind,
        version=resolved.version,
        checkpoint_hash=None,
        source_uri=resolved.source_uri,
        local_path="",
        installed=False,
        enabled=False,
        parameters_schema=schema_for(kind),
        capabilities=capabilities_for(kind),
        files=(),
        provenance=_provenance(resolved, source, ids),
    )


def _provenance(resolved: Resolved, source: str, ids: Mapping[str, str]) -> dict[str, Any]:
    facts = {
        "source": source,
        **ids,
        "title": resolved.title,
        "author": resolved.author,
        "commit": resolved.commit,
        "revision": resolved.revision,
        "page": resolved.page,
        "licence": resolved.licence,
        "gated": resolved.gated,
        **resolved.metadata,
    }
    return {name: value for name, value in facts.items() if value not in (None, "", [], {})}
