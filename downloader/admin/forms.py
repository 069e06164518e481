"""What is to be downloaded: first looked at, then started."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from downloader import configured
from downloader.api.parameters import REF_LENGTH
from downloader.library.errors import DownloadError
from registry.kinds import KINDS

CHOICES = [("", "as its files show"), *((kind, kind) for kind in KINDS)]


class DownloadForm(forms.Form):
    ref = forms.CharField(
        label="Reference or address",
        max_length=REF_LENGTH,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "hf:author/repository or the address of a page"}
        ),
        help_text="hf:REPOSITORY[@REVISION][#FILE], civitai:MODEL[@VERSION], or a page "
        "of Hugging Face or CivitAI.",
    )
    name = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Empty: the source's own.",
    )
    version = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Empty: the source's version or commit.",
    )
    kind = forms.ChoiceField(required=False, choices=CHOICES, widget=UnfoldAdminSelectWidget())
    enable = forms.BooleanField(
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Whether jobs may use it once it is installed.",
    )

    def clean_ref(self) -> str:
        """A pasted address becomes the reference it stands for: it can hold a token."""
        try:
            return configured.parse(self.cleaned_data["ref"]).text
        except DownloadError as error:
            raise forms.ValidationError(error.message) from None

    @property
    def params(self) -> dict[str, Any]:
        """As the job type takes them."""
        given = {name: self.cleaned_data[name] for name in ("ref", "name", "version", "kind")}
        kept = {name: value for name, value in given.items() if value}
        return {**kept, "enable": self.cleaned_data["enable"]}
