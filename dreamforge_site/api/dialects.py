"""Errors in the words of another API, below the addresses where its clients call.

settings.ERROR_DIALECTS maps a prefix of paths to the dotted path of a function. It gets the status,
the envelope and the headers of an error, and gives what its clients expect instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from dreamforge_site.api import errors
from dreamforge_site.api.errors import ApiError

Spoken = tuple[int, dict[str, Any], dict[str, str]]
Dialect = Callable[[int, Mapping[str, Any], Mapping[str, str]], Spoken]


def spoken(error: ApiError, path: str) -> Spoken:
    """Status, body and headers of the answer to a request of `path`."""
    status, envelope, headers = error.status, errors.envelope(error), errors.headers(error)
    for prefix, dotted in settings.ERROR_DIALECTS.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            translate: Dialect = import_string(dotted)
            return translate(status, envelope, headers)
    return status, envelope, headers
