"""A job's parameters, to be changed before it runs again."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from jobs import dead_letters
from jobs.errors import JobError
from jobs.models import Job


class Indented(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2})


class RequeueForm(forms.Form):
    params = forms.JSONField(
        label="Parameters",
        encoder=Indented,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 16, "class": "font-mono"}),
        help_text="A JSON object. A field that you leave out stays as it was.",
    )

    def __init__(self, job: Job, data: Any, *, by: Any) -> None:
        super().__init__(data, initial={"params": job.params})
        self.job, self.by = job, by
        self.again: Job | None = None

    def clean_params(self) -> dict[str, Any]:
        params: Any = self.cleaned_data["params"]
        if not isinstance(params, dict):
            raise forms.ValidationError("Must be a JSON object.")
        return params

    def clean(self) -> dict[str, Any] | None:
        """Submits: the type's own fields decide, and their complaints are shown here."""
        if "params" in self.cleaned_data:
            try:
                self.again = dead_letters.again(self.job, self.cleaned_data["params"], by=self.by)
            except JobError as error:
                raise forms.ValidationError(_complaints(error)) from error
        return self.cleaned_data


def _complaints(error: JobError) -> list[str]:
    fields = error.details.get("fields", {})
    named = [f"{name}: {' '.join(map(str, told))}" for name, told in fields.items()]
    return named or [error.message]
