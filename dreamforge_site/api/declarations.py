"""What views declare, read in one place. The attributes are listed in strictness.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.serializers import BaseSerializer

PAGE_PARAMETERS = ("limit", "cursor")


def body_serializer(view: Any) -> BaseSerializer[Any] | None:
    """An instance of the serializer the view reads bodies with; None when it takes no field."""
    if view is None or not _has_serializer(view):
        return None
    shared = getattr(getattr(view, "serializer_class", None), "shared", None)
    if shared is not None:
        return shared()  # type: ignore[no-any-return]
    if hasattr(view, "get_serializer"):
        serializer: BaseSerializer[Any] = view.get_serializer()
    else:
        serializer = view.serializer_class()
    return serializer


def query_serializer_class(view: Any, method: str) -> type[BaseSerializer[Any]] | None:
    """The serializer of the query parameters that `method` takes."""
    method = "GET" if method == "HEAD" else method
    if hasattr(view, "get_query_serializer_class"):
        return view.get_query_serializer_class()  # type: ignore[no-any-return]
    declared = getattr(view, "query_serializer_class", None)
    if isinstance(declared, dict):
        return declared.get(method)
    return declared


def page_parameters(view: Any, method: str) -> tuple[str, ...]:
    return PAGE_PARAMETERS if is_list(view) and method in ("GET", "HEAD") else ()


def is_list(view: Any) -> bool:
    return getattr(view, "list_key", None) is not None


def error_codes(view: Any, method: str) -> Iterable[str]:
    """The codes beyond the usual ones that an operation can answer with."""
    declared = getattr(view, "error_codes", ())
    return declared.get(method, ()) if isinstance(declared, dict) else declared


def _has_serializer(view: Any) -> bool:
    chosen = getattr(type(view), "get_serializer_class", None)
    chosen_by_view = chosen is not None and not chosen.__module__.startswith("rest_framework.")
    return chosen_by_view or getattr(view, "serializer_class", None) is not None
