"""Undeclared input is refused: the last permission of every view.

What a view declares, none of which needs an import of this package:

`serializer_class` / `get_serializer_class()`
    The fields of the body. Without it no field is accepted.
`query_serializer_class` / `get_query_serializer_class()`
    A serializer of the query parameters; a dict gives one for each method. After the permissions
    the validated values are `self.query` (a dict; empty when nothing was given or declared).
`list_key`
    On a list view: the name of the list in the answer. Its GET takes `limit` and `cursor` too.
`error_codes`
    Codes of the contract, beyond the usual ones, the view can answer with; a dict: by method.

A view that replaces `permission_classes` keeps DeclaredQuery as the last one (a test
walks the URLs); outside this site it takes `api_settings.DEFAULT_PERMISSION_CLASSES[-1]`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from dreamforge_site.api import declarations
from dreamforge_site.api.json_text import printable

if TYPE_CHECKING:  # its module reads the settings that name this one
    from rest_framework.views import APIView

UNKNOWN = "Unknown query parameter."
REPEATED = "Given more than once."


class DeclaredQuery(BasePermission):
    """422 for unknown, repeated or wrong query parameters, and for a body nobody declared."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        method = request.method or "GET"
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # described, or refused with 405 in a moment
        query = _validated(request.query_params, view, method)
        if method == request._request.method:  # the browsable API also asks for methods not used
            view.query = query  # type: ignore[attr-defined] # declared by the views that read it
            if method not in SAFE_METHODS:
                _ = request.data  # parsed now, so that a view which ignores its body refuses it too
        return True


def _validated(given: QueryDict, view: APIView, method: str) -> dict[str, Any]:
    paging = declarations.page_parameters(view, method)
    serializer_class = declarations.query_serializer_class(view, method)
    # A plain dict: with a QueryDict the REST framework takes an absent boolean for false.
    values = {name: value for name, value in given.dict().items() if name not in paging}
    if not given and (serializer_class is None or _may_be_empty(serializer_class)):  # type: ignore[arg-type]
        return {}
    serializer = serializer_class(data=values) if serializer_class else None
    _refuse_undeclared(given, {*getattr(serializer, "fields", ()), *paging})
    if serializer is None:
        return {}
    if not serializer.is_valid():
        raise ValidationError(dict(serializer.errors))  # without the form: it is not the body's
    return dict(serializer.validated_data)


@cache
def _may_be_empty(serializer_class: type[BaseSerializer[Any]]) -> bool:
    """Whether no parameters at all are right and mean nothing."""
    fields = getattr(serializer_class(), "fields", {}).values()
    return not any(field.required or field.default is not empty for field in fields)


def _refuse_undeclared(given: QueryDict, known: set[str]) -> None:
    faults = {printable(name): [UNKNOWN] for name in given if name not in known}
    for name, values in given.lists():
        if name in known and len(values) > 1:
            faults[name] = [REPEATED]
    if faults:
        # The REST framework's own error: drawing a page, it asks which methods are permitted.
        raise ValidationError(faults)
