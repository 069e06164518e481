"""The hubs' tokens, as far as this service knows them: that one is set, what it may do and when it
last worked. The tokens themselves stay in the environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from downloader import configured, failures
from downloader.library.errors import DownloadError
from downloader.library.sources import registered
from downloader.library.watch import Control
from downloader.models import TokenCheck
from registry import auditing

VARIABLES = {"hf": "HF_TOKEN", "civitai": "CIVITAI_TOKEN"}


@dataclass(frozen=True)
class Token:
    source: str
    variable: str
    is_set: bool
    check: TokenCheck | None  # the last one


def known() -> Iterator[Token]:
    checks = {check.source: check for check in TokenCheck.objects.all()}
    for source, variable in VARIABLES.items():
        yield Token(source, variable, _is_set(source), checks.get(source))


def check(source: str, *, by: Any = None) -> TokenCheck:
    """Ask the source whose token it is. What it says is kept, be it a refusal."""
    now = timezone.now()
    found: dict[str, Any] = {"checked_at": now, "problem": "", "account": "", "scope": ""}
    try:
        with configured.tools() as tools:
            told = registered.make(
                source,
                tools.client,
                allowed=settings.DOWNLOAD_SOURCES,
                settings=settings.DOWNLOAD_SOURCE_SETTINGS.get(source, {}),
            ).account(Control())
    except DownloadError as error:
        found["problem"] = failures.told(error)[:500]
    else:
        if told is None:
            found["problem"] = "No token is set."
        else:
            found |= {"account": told.name[:200], "scope": told.scope[:100], "worked_at": now}
    with transaction.atomic():
        kept, _ = TokenCheck.objects.update_or_create(source=source, defaults=found)
        works = f"works for {kept.account}"
        auditing.note(kept, by, auditing.sentence("checked", kept.problem.rstrip(".") or works))
    return kept


def _is_set(source: str) -> bool:
    return bool(settings.DOWNLOAD_SOURCE_SETTINGS.get(source, {}).get("token"))
