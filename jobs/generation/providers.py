"""Who draws, by name: a table of settings, so that another provider needs no change here."""

from __future__ import annotations

from django.conf import settings

DEFAULT = "local-sdxl-epicrealism"


def known() -> tuple[str, ...]:
    return tuple(settings.GENERATION_PROVIDERS)
