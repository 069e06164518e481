"""Users, groups, API keys and sign-ins in the admin.

Nobody rises by editing: only a superuser hands out rights, edits groups, and touches staff or users
who may do something the editor may not. Keys and sign-ins are personal: staff see and end their
own, superusers everybody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserCreationForm

from dreamforge_site.accounts import clock, deactivating, groups, keys, open_access, sign_ins
from dreamforge_site.accounts.editing import ToldAdmin
from dreamforge_site.accounts.forms import NewApiKeyForm, UserForm
from dreamforge_site.accounts.models import ApiKey, SignIn, User
from registry.admin.longlists import LongListAdmin

RIGHTS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")
OTHERS_OFFERED = 50
STATE_COLOURS = {"live": "success", "expired": "warning", "revoked": "danger"}

admin.site.unregister(Group)


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


class GroupFilter(admin.SimpleListFilter):
    """The groups of the code, then others by name: as many as anybody reads."""

    title = "group"
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        others = Group.objects.exclude(name__in=groups.BUILT_IN).order_by("name")
        names = [*groups.BUILT_IN, *others.values_list("name", flat=True)[:OTHERS_OFFERED]]
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(groups__name=self.value()) if self.value() else queryset


@admin.register(User)
class UserAdmin(ToldAdmin, DjangoUserAdmin[User], LongListAdmin):  # type: ignore[misc]  # unfold has no types
    form = UserForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_staff", "is_superuser", "is_active", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", GroupFilter)
    sortable_by = ("username", "email", "last_login")
    readonly_fields = ("password_form", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password_form")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": RIGHTS}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    # Two lists side by side are wider than a laptop's screen.
    filter_horizontal = ()
    actions = ("deactivate",)

    @admin.display(description="Password")
    def password_form(self, user: User) -> SafeString:
        return format_html(
            '<a href="{}" class="text-primary-600 dark:text-primary-500">Set a new password</a>',
            reverse("admin:auth_user_password_change", args=[user.pk]),
        )

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        rights = () if is_superuser(request) else RIGHTS
        return [*super().get_readonly_fields(request, obj), *rights]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj):
            return fieldsets
        return [(name, {"fields": _without_password_form(options)}) for name, options in fieldsets]

    @admin.action(description="Deactivate: sign out and refuse", permissions=["change"])
    def deactivate(self, request: HttpRequest, users: QuerySet[User]) -> None:
        others = [u for u in users if u != request.user and self._may_touch(request, u)]
        done = [user for user in others if deactivating.deactivate(user, by=request.user)]
        self.message_user(request, f"{len(done)} deactivated.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Who is shut out here is signed out too, as by the list's action."""
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            deactivating.sign_out_everywhere(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A user's sign-ins go with the user, though nobody deletes one alone."""
        found, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return found, counts, lacking - {SignIn._meta.verbose_name}, protected

    def _may_touch(self, request: HttpRequest, user: User | None) -> bool:
        return user is None or is_superuser(request) or not _stands_above(user, request.user)


def _stands_above(user: User, staff: Any) -> bool:
    """Whether a new password for this user would win anything that the staff do not have."""
    if user.is_staff or user.is_superuser or user.name_key == open_access.NAME:
        return True
    return _given_to(user).exclude(pk__in=_given_to(staff).values("pk")).exists()


def _given_to(user: User) -> QuerySet[Permission]:
    """Also what a deactivated user gets back; of an active one, `get_all_permissions`."""
    return Permission.objects.filter(Q(user=user) | Q(group__user=user))


def _without_password_form(options: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(field for field in options["fields"] if field != "password_form")


@admin.register(Group)
class GroupAdmin(ToldAdmin, DjangoGroupAdmin, LongListAdmin):  # type: ignore[misc]
    """The built-in groups belong to the code (groups.py); others are the superusers': whoever
    edits a group hands out rights, also to themselves."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request) and _is_ours_to_edit(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request) and _is_ours_to_edit(obj)


def _is_ours_to_edit(group: Group | None) -> bool:
    return group is None or group.name not in groups.BUILT_IN


class PersonalAdmin(LongListAdmin):
    """Rows that belong to a user: staff have their own, a superuser has everybody's."""

    owner_field: str

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).select_related(self.owner_field)
        return rows if is_superuser(request) else rows.filter(**{self.owner_field: request.user})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_view_permission(request, obj)


@admin.register(ApiKey)
class ApiKeyAdmin(PersonalAdmin):
    owner_field = "owner"
    form = NewApiKeyForm
    list_display = (
        "name",
        "owner",
        "key_prefix",
        "key_scopes",
        "state",
        "last_used_at",
        "expires_at",
    )
    autocomplete_fields = ("owner",)
    search_fields = ("name", "prefix", "owner__username")
    ordering = ("-created_at", "-id")
    sortable_by = ("name", "last_used_at", "expires_at")
    fields = ("owner", "name", "scopes", "expires_at")
    actions = ("revoke",)

    @admin.display(description="Key")
    def key_prefix(self, key: ApiKey) -> str:
        return f"dfk_{key.prefix}_…"

    @admin.display(description="Scopes")
    def key_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="State", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, key: ApiKey) -> str:
        return key.state(clock.now())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """For the list's actions; one key shows its facts, and none of them can be edited."""
        return obj is None and self.has_view_permission(request)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        if obj is None:
            return (
                ["owner", "name", "scopes", "expires_at"]
                if is_superuser(request)
                else ["name", "scopes", "expires_at"]
            )
        return [
            "name",
            "owner",
            "key_prefix",
            "key_scopes",
            "state",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        one_way_on = {"show_save_and_continue": False, "show_save_and_add_another": False}
        context = {**one_way_on, **(extra_context or {})}
        page: HttpResponse = super().add_view(request, form_url, context)
        return page

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk, **super().get_changeform_initial_data(request)}

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool
    ) -> None:
        if not is_superuser(request):
            obj.owner = request.user  # type: ignore[assignment]  # signed in: the admin let it pass
        keys.seal(obj)
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: ApiKey, message: Any) -> None:
        keys.note_made(obj, request.user)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The key goes into this page and nowhere else: a message would pass through a cookie."""
        return TemplateResponse(
            request,
            "admin/accounts/apikey/made.html",
            {**self.admin_site.each_context(request), "title": "API key made", "api_key": obj},
            headers={"Cache-Control": "no-store"},
        )

    @admin.action(description="Revoke: stop working at once", permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        revoked = [key for key in rows if keys.revoke(key, by=request.user)]
        self.message_user(request, f"{len(revoked)} revoked.", messages.SUCCESS)


@admin.register(SignIn)
class SignInAdmin(PersonalAdmin):
    """Where users are signed in through the API, with their refresh tokens behind it."""

    owner_field = "user"
    list_display = ("user", "created_at", "last_used_at", "expires_at", "revoked_at")
    fields = list_display
    search_fields = ("user__username",)
    ordering = ("-created_at", "-id")
    sortable_by = ("last_used_at", "expires_at", "revoked_at")
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """For the list's actions; a sign-in itself is only shown."""
        return obj is None and self.has_view_permission(request)

    @admin.action(description="Revoke: sign out there", permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[SignIn]) -> None:
        revoked = [row for row in rows if sign_ins.revoke(row, by=request.user)]
        self.message_user(request, f"{len(revoked)} revoked.", messages.SUCCESS)
