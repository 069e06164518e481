"""The models: a list with a switch a row, a page each, and what can be done about them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.module_loading import import_string
from unfold.decorators import display

from registry import catalog, selection, wording
from registry.admin import showing, telling
from registry.admin.filters import SourceFilter, TrustFilter
from registry.admin.longlists import LongListAdmin
from registry.errors import InvalidDefaults, RegistryError
from registry.models import Model

STATE_COLOURS = {"enabled": "success", "disabled": "warning", "not installed": "danger"}
TRUST_COLOURS = {
    "verified": "success",
    "local": "info",
    "overridden": "warning",
    "unverified": "danger",
    "mismatch": "danger",
}
LONG_FIELDS = ("parameters_schema", "capabilities", "files_json", "provenance", "search_text")
STAY = "_stay"  # posted by a model's own page: come back to it
SWITCH = "_switch"  # posted by a row's button: what to do with which model
SWITCHES = {"enable": catalog.enable, "disable": catalog.disable}

Act = Callable[..., Any]


@admin.register(Model)
class ModelAdmin(LongListAdmin):
    """`change` is the permission for the switches and actions; a model itself is only shown."""

    list_display = ("named", "version", "kind", "state", "trusted", "size", "source", "used")
    list_filter = ("kind", "installed", "enabled", TrustFilter, SourceFilter)
    search_fields = ("name",)
    search_help_text = "Words of the name, the version or the source; or an id"
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions = ("enable", "disable", "make_default")
    change_form_outer_before_template = "admin/registry/model/buttons.html"
    change_form_outer_after_template = "admin/registry/model/contents.html"
    fields = (
        "id",
        ("name", "version"),
        ("kind", "state"),
        ("trust_of_files", "size"),
        "checkpoint_hash",
        "source_uri",
        "folder",
        ("is_default", "last_used_at"),
        ("created_at", "updated_at"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return obj is None and bool(super().has_change_permission(request))

    def may_act(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    @admin.display(description="Name")
    def named(self, model: Model) -> str:
        return f"{model.name} (default)" if model.is_default else model.name

    @display(description="State", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, model: Model) -> str:
        return wording.state(model.installed, model.enabled)

    @display(description="Trust", label=TRUST_COLOURS)  # type: ignore[untyped-decorator]
    def trusted(self, model: Model) -> str:
        return model.trust

    @admin.display(description="Trust of its files")
    def trust_of_files(self, model: Model) -> str:
        return showing.trust(model.files)

    @admin.display(description="Size")
    def size(self, model: Model) -> str:
        return wording.size(model.size_bytes)

    @admin.display(description="Source")
    def source(self, model: Model) -> str:
        return model.source_uri.partition(":")[0]

    @admin.display(description="Last used")
    def used(self, model: Model) -> str:
        return f"{model.last_used_at:%Y-%m-%d %H:%M}" if model.last_used_at else "never"

    @admin.display(description="Folder")
    def folder(self, model: Model) -> str:
        return str(model.folder) if model.local_path else "-"

    @admin.display(description="Switch")
    def switch(self, model: Model) -> str:
        return render_to_string(
            "admin/registry/model/switch.html", {"model": model, "key": str(model.pk)}
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.defaults_view)
        mine = path("<uuid:model_id>/defaults/", view, name="registry_model_defaults")
        return [mine, *super().get_urls()]

    def defaults_view(self, request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
        """Takes the form of a model's page."""
        if request.method != "POST" or not self.may_act(request):
            raise PermissionDenied
        try:
            model = catalog.set_defaults(model_id, showing.given(request.POST), by=request.user)
        except InvalidDefaults as error:
            for name, problems in error.details["fields"].items():
                self.message_user(request, f"{name}: {' '.join(problems)}", messages.ERROR)
        except RegistryError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.message_user(request, f"{model} has these defaults now.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:registry_model_change", args=[model_id]))

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return [*super().get_list_display(request), *(["switch"] if self.may_act(request) else [])]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        models: QuerySet[Model] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and match.url_name == "registry_model_changelist"
        return models.defer(*LONG_FIELDS) if is_list else models

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        try:
            return queryset.filter(pk=uuid.UUID(search_term.strip())), False
        except ValueError:
            words = selection.folded(search_term.replace("\0", " ")).split()
            return queryset.filter(*(Q(search_text__contains=word) for word in words)), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and SWITCH in request.POST:
            return self._switch(request)
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        model = self.get_object(request, unquote(object_id))
        facts = self._facts(request, model) if model else {}
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**facts, **(extra_context or {})}
        )
        return page

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, models: QuerySet[Model]) -> HttpResponse | None:
        return self._act(request, models, "enabled", catalog.enable)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, models: QuerySet[Model]) -> HttpResponse | None:
        return self._act(request, models, "disabled", catalog.disable)

    @admin.action(description="Make it the default model", permissions=["change"])
    def make_default(self, request: HttpRequest, models: QuerySet[Model]) -> HttpResponse | None:
        if models.count() != 1:
            self.message_user(request, "Choose one model to be the default.", messages.WARNING)
            return None
        return self._act(request, models, "is now the default", catalog.set_default)

    def _switch(self, request: HttpRequest) -> HttpResponse:
        """A row's own button."""
        if not self.may_act(request):
            raise PermissionDenied
        action, _, chosen = request.POST[SWITCH].partition(":")
        try:
            model = SWITCHES[action](uuid.UUID(chosen), by=request.user)
        except (KeyError, ValueError):
            self.message_user(request, "There is no such switch.", messages.ERROR)
        except RegistryError as error:
            self.message_user(request, error.message, messages.WARNING)
        else:
            self.message_user(request, f"{model}: {action}d.", messages.SUCCESS)
        return HttpResponseRedirect(request.get_full_path())

    def _act(
        self, request: HttpRequest, models: QuerySet[Model], done: str, act: Act
    ) -> HttpResponse | None:
        """Each by itself: one that cannot be done is told and holds up no other."""
        chosen = list(
            models.order_by("created_at", "id").values_list("pk", flat=True)[: telling.AT_ONCE]
        )
        refusals = []
        for model_id in chosen:
            try:
                act(model_id, by=request.user)
            except RegistryError as error:
                refusals.append(error.message)
        telling.tell(request, len(chosen) - len(refusals), done, refusals)
        if STAY not in request.POST or not chosen:
            return None
        return HttpResponseRedirect(reverse("admin:registry_model_change", args=[chosen[0]]))

    def _facts(self, request: HttpRequest, model: Model) -> dict[str, Any]:
        files = model.files
        return {
            "model": model,
            "title": str(model),
            "files": files[: showing.FILES_SHOWN],
            "more_files": max(0, len(files) - showing.FILES_SHOWN),
            "file_count": len(files),
            "parameters": showing.parameters(model.parameters_schema),
            "provenance": showing.provenance(model.provenance),
            "web_page": showing.web_page(model.provenance),
            "schema": json.dumps(model.parameters_schema, indent=2, ensure_ascii=False),
            "buttons": _buttons(model) if self.may_act(request) else [],
            "adjustable": showing.adjustable(model.parameters_schema)
            if self.may_act(request)
            else [],
            "preview": _preview(model) if request.user.has_perm("jobs.view_job") else None,
            "may_verify": request.user.has_perm("downloader.change_download"),
            "may_remove": request.user.has_perm("registry.delete_model"),
        }


def _preview(model: Model) -> str | None:
    found: str | None = import_string(settings.MODEL_PREVIEW)(model.pk)
    return found


def _buttons(model: Model) -> list[tuple[str, str]]:
    """Those that would do something now."""
    offered = (
        ("enable", "Enable", not model.enabled and not catalog.obstacles(model)),
        ("disable", "Disable", model.enabled),
        ("make_default", "Make it the default model", _can_be_default(model)),
    )
    return [(action, label) for action, label, useful in offered if useful]


def _can_be_default(model: Model) -> bool:
    try:
        selection.checked(model)
    except RegistryError:
        return False
    return not model.is_default
