"""What CivitAI says about the use of a model: early access, permissions, trigger words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from downloader.library.sources.civitai_models import Model, Version

# What a permission's False and True mean in words.
PERMISSIONS = {
    "allowNoCredit": ("credit required", "no credit required"),
    "allowDerivatives": ("no derivatives", "derivatives allowed"),
    "allowDifferentLicense": ("same licence for derivatives", "any licence for derivatives"),
}


def is_early(version: Version) -> bool:
    """Whether early access lasts. A deadline that is not known has not passed."""
    deadline = version.early_access_until
    if deadline is None:
        return False
    try:
        moment = datetime.fromisoformat(deadline)
    except ValueError:
        return True
    return moment.replace(tzinfo=moment.tzinfo or UTC) > datetime.now(UTC)


def until_text(deadline: str) -> str:
    return f"until {deadline}" if deadline[:1].isdigit() else "with no end announced"


def notes_on(version: Version, page: str) -> list[str]:
    if not is_early(version):
        return []
    until = until_text(version.early_access_until or "")
    return [f"In early access {until}: the account of CIVITAI_TOKEN must have bought it at {page}."]


def licence_of(facts: Mapping[str, Any]) -> str | None:
    """The author's permissions in one line; None where CivitAI names none."""
    if not facts:
        return None
    uses = facts.get("allowCommercialUse")
    allowed = ", ".join(str(use) for use in uses) if isinstance(uses, list) else str(uses or "")
    words = [f"commercial use: {allowed if allowed not in ('', 'None') else 'no'}"]
    for name, permission in PERMISSIONS.items():
        if name in facts:
            words.append(permission[bool(facts[name])])
    return "; ".join(words)


def metadata_of(model: Model, version: Version) -> dict[str, Any]:
    facts = {
        "base_model": version.base_model,
        "trigger_words": list(version.trained_words),
        "model_type": model.type,
        "tags": list(model.tags),
        "permissions": dict(model.licence),
        "early_access_until": version.early_access_until if is_early(version) else None,
    }
    return {name: value for name, value in facts.items() if value}
