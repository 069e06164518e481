"""The admin as a whole: what holds on every page of it, whoever registered the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import Any

from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from dreamforge_site.dashboard import policy

# Their run time grows exponentially with a pattern made for it; SQLite runs them in this process.
PATTERNS = frozenset({"regex", "iregex"})


class ForgeAdminConfig(AdminConfig):
    default = False  # named in the settings, not found
    default_site = "dreamforge_site.accounts.admin_site.ForgeAdminSite"


class ForgeAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    index_title = "Overview"

    def admin_view(
        self, view: Callable[..., HttpResponseBase], cacheable: bool = False
    ) -> Callable[..., HttpResponseBase]:
        def without_patterns(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            _refuse_patterns(request.GET)
            return policy.protect(view(request, *args, **kwargs))

        wrapped = update_wrapper(without_patterns, view)
        guarded: Callable[..., HttpResponseBase] = super().admin_view(wrapped, cacheable)
        return guarded

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        return policy.protect(super().login(request, extra_context))

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """How the service is; asked for its live parts alone, only those."""
        from dreamforge_site.dashboard import page
        from jobs.admin import live

        facts = page.context(request)
        if live.is_asked(request):
            return live.parts(request, "admin/overview/parts.html", facts)
        shown: HttpResponseBase = super().index(request, {**facts, **(extra_context or {})})
        return shown

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        # Both need the models, which are not there yet when the settings name this module.
        from django.contrib.auth.views import PasswordChangeView

        from dreamforge_site.accounts.forms import OwnPasswordForm

        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse(f"{self.name}:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)


def _refuse_patterns(parameters: Iterable[str]) -> None:
    for name in parameters:
        if not PATTERNS.isdisjoint(name.split(LOOKUP_SEP)[1:]):
            raise DisallowedModelAdminLookup(f"Filtering by {name} is not allowed.")
