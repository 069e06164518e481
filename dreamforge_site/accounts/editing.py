"""What was edited of an account or a group, for the admin's log: with both values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Model, QuerySet
from django.forms import Form, ModelForm
from django.http import HttpRequest

from registry import auditing

MANY = (list, tuple, set, QuerySet)


class ToldAdmin(ModelAdmin[Any]):
    """Django's own entry names the fields that were changed, and no value."""

    def construct_change_message(
        self, request: HttpRequest, form: Form, formsets: Any, add: bool = False
    ) -> Any:
        if add or not isinstance(form, ModelForm):  # the form of passwords is none
            return super().construct_change_message(request, form, formsets, add)
        return auditing.sentence("changed", *_changes(form))

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        if not isinstance(message, str):
            return super().log_change(request, obj, message)
        return auditing.note(obj, request.user, message)


def _changes(form: ModelForm[Any]) -> Iterator[str]:
    for name in form.changed_data:
        before, after = form.initial.get(name), form.cleaned_data.get(name)
        if isinstance(after, MANY):
            yield _exchanged(name, before or (), after)
        else:
            yield auditing.changes({name: before}, {name: after})


def _exchanged(name: str, before: Iterable[Any], after: Iterable[Any]) -> str:
    had, has = {str(one) for one in before}, {str(one) for one in after}
    given, taken = ", ".join(sorted(has - had)), ", ".join(sorted(had - has))
    return auditing.facts({f"{name} given": given, f"{name} taken": taken})
