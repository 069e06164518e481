"""Tracked repositories: the explorer that finds them, a list, and a page each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display

from downloader.admin.downloads import ADD
from downloader.hub import forgetting, removal, updating
from downloader.hub.errors import HubError
from downloader.hub.models import Repo, RepoFile, Snapshot
from downloader.library.errors import DownloadError
from jobs import submission
from jobs.admin.shown import ShownAdmin
from jobs.errors import JobError
from jobs.models import Job
from registry import wording

CHANGE = "downloader.change_repo"
REMOVE = "downloader.delete_repo"
STATE_COLOURS = {"synced": "success", "registered": "info", "error": "danger"}
FILES_SHOWN = 100
OLDER_SHOWN = 10
NEVER = "never"


@admin.register(Repo)
class RepoAdmin(ShownAdmin):
    list_display = ("name_and_revision", "state", "here", "size", "news", "licence", "synced")
    list_filter = ("status", "is_downloaded", "gated", "auto_sync")
    search_fields = ("author", "name", "revision")
    list_select_related = ("snapshot",)
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions_list = ("begin",)  # its address is named for it, so not as that of the explorer
    change_form_outer_before_template = "admin/hub/actions.html"
    change_form_outer_after_template = "admin/hub/contents.html"
    fields = (
        ("name_and_revision", "state"),
        ("at_commit", "licence"),
        ("here", "size"),
        "error_message",
        "shown_in",
        ("synced", "checked_at"),
        ("auto_sync", "gated", "private"),
    )

    @admin.display(description="Repository")
    def name_and_revision(self, repo: Repo) -> str:
        return str(repo)

    @display(description="State", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, repo: Repo) -> str:
        return repo.status

    @admin.display(description="Here")
    def here(self, repo: Repo) -> str:
        snapshot = repo.snapshot
        if snapshot is None:
            return "-"
        return f"{snapshot.done_count} of {snapshot.file_count} files"

    @admin.display(description="Size")
    def size(self, repo: Repo) -> str:
        snapshot = repo.snapshot
        if snapshot is None:
            return "-"
        return f"{wording.size(snapshot.done_bytes)} of {wording.size(snapshot.size_bytes)}"

    @admin.display(description="News")
    def news(self, repo: Repo) -> str:
        if repo.gone_at:
            return "gone at its source"
        return "update available" if repo.update_commit else "-"

    @admin.display(description="Synced")
    def synced(self, repo: Repo) -> Any:
        return repo.synced_at or NEVER

    @admin.display(description="Commit")
    def at_commit(self, repo: Repo) -> str:
        return repo.commit or "-"

    @admin.display(description="Folder")
    def shown_in(self, repo: Repo) -> str:
        folder = repo.snapshot.folder if repo.snapshot else ""
        return f"{settings.MODELS_ROOT}/{folder}" if folder else "-"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Repo]:
        repos: QuerySet[Repo] = super().get_queryset(request).select_related("snapshot")
        return repos

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        mine = [
            path("explore/", view(self.explore_view), name="downloader_repo_explore"),
            path("<uuid:repo_id>/do/", view(self.do_view), name="downloader_repo_do"),
            path("<uuid:repo_id>/remove/", view(self.remove_view), name="downloader_repo_remove"),
        ]
        return [*mine, *super().get_urls()]

    # The explorer

    def has_explore_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        return bool(request.user.has_perm("downloader.view_repo"))

    @action(  # type: ignore[untyped-decorator]
        description="Explore the hub", url_path="begin", permissions=["explore"], icon="search"
    )
    def begin(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:downloader_repo_explore"))

    def explore_view(self, request: HttpRequest) -> HttpResponse:
        """The page's own script asks /v1 in the visitor's name."""
        if not self.has_explore_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Explore the hub",
            "may_download": request.user.has_perm(ADD),
            "models_root": settings.MODELS_ROOT,
            "nil": "00000000-0000-0000-0000-000000000000",
        }
        return TemplateResponse(request, "admin/hub/explore.html", context)

    # One repository

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        repo = self.get_object(request, object_id)
        facts = self._facts(request, repo) if repo else {}
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**facts, **(extra_context or {})}
        )
        return page

    def _facts(self, request: HttpRequest, repo: Repo) -> dict[str, Any]:
        wanted, after = request.GET.get("files", ""), request.GET.get("after", "")
        files = _page_of_files(repo, wanted, after)
        more = len(files) > FILES_SHOWN
        shown = files[:FILES_SHOWN]
        may_change = request.user.has_perm(ADD)
        return {
            "repo": repo,
            "title": str(repo),
            "files": shown,
            "after": shown[-1].path if more else "",
            "wanted": wanted,
            "update": repo.update,
            "changes": repo.snapshot.changes if repo.snapshot else {},
            "older": _older(repo),
            "buttons": _buttons(repo) if may_change else [],
            "may_remove": request.user.has_perm(REMOVE),
            "explore": f"{reverse('admin:downloader_repo_explore')}?repo={repo.full_name}",
        }

    def do_view(self, request: HttpRequest, repo_id: Any) -> HttpResponse:
        """A button of a repository's page: it makes a job and shows it."""
        if request.method != "POST":
            raise PermissionDenied
        repo = self._found(repo_id)
        asked = request.POST.get("do", "")
        if asked not in DEEDS:
            raise Http404
        try:
            job = DEEDS[asked](repo, request.user, request.POST)
        except (JobError, HubError) as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(reverse("admin:downloader_repo_change", args=[repo.pk]))
        messages.success(request, f"{repo}: the job is queued.")
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))

    def remove_view(self, request: HttpRequest, repo_id: Any) -> HttpResponse:
        """What it would free is shown first."""
        if not request.user.has_perm(REMOVE):
            raise PermissionDenied
        repo = self._found(repo_id)
        forget = "forget" in request.POST
        try:
            if request.method == "POST":
                forgetting.refuse_at_work(repo)
            planned = removal.remove(
                repo, dry_run=request.method != "POST", forget=forget, by=request.user
            )
        except (DownloadError, HubError) as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(reverse("admin:downloader_repo_change", args=[repo.pk]))
        if request.method == "POST":
            freed = wording.size(planned.freed_bytes)
            messages.success(request, f"{repo} is off the disk; {freed} are free again.")
            return HttpResponseRedirect(reverse("admin:downloader_repo_changelist"))
        context = {**self.admin_site.each_context(request), "title": f"Remove {repo}"}
        return TemplateResponse(
            request, "admin/hub/remove.html", {**context, "repo": repo, "planned": planned}
        )

    def _found(self, repo_id: Any) -> Repo:
        repo = Repo.objects.select_related("snapshot").filter(pk=repo_id).first()
        if repo is None:
            raise Http404
        return repo


def _page_of_files(repo: Repo, wanted: str, after: str) -> list[RepoFile]:
    """By path, from `after` on; one more than is shown, to know whether there are more."""
    if repo.snapshot is None:
        return []
    rows = repo.snapshot.files.order_by("path")
    if wanted:
        rows = rows.filter(Q(path__icontains=wanted.replace("\0", "")))
    if after:
        rows = rows.filter(path__gt=after.replace("\0", ""))
    return list(rows[: FILES_SHOWN + 1])


def _older(repo: Repo) -> list[Snapshot]:
    others = repo.snapshots.order_by("-taken_at")
    newest = {} if repo.snapshot is None else {"pk": repo.snapshot.pk}
    return list(others.exclude(**newest)[:OLDER_SHOWN] if newest else ())


def _submit(kind: str, repo: Repo, user: Any, **params: Any) -> Job:
    return submission.submit(kind, {"repo_id": str(repo.pk), **params}, user)


def _sync(repo: Repo, user: Any, _form: Mapping[str, Any]) -> Job:
    return _submit("sync", repo, user)


def _download(repo: Repo, user: Any, _form: Mapping[str, Any]) -> Job:
    return _submit("mirror", repo, user)


def _check(repo: Repo, user: Any, _form: Mapping[str, Any]) -> Job:
    return submission.submit("watch", {"repo_ids": [str(repo.pk)]}, user)


def _update(repo: Repo, user: Any, _form: Mapping[str, Any]) -> Job:
    return updating.approve(repo, user, by=user)


def _install(repo: Repo, user: Any, _form: Mapping[str, Any]) -> Job:
    return _submit("install", repo, user)


def _verify(repo: Repo, user: Any, _form: Mapping[str, Any]) -> Job:
    return _submit("hub_verify", repo, user)


DEEDS = {
    "sync": _sync,
    "download": _download,
    "check": _check,
    "update": _update,
    "install": _install,
    "verify": _verify,
}


def _buttons(repo: Repo) -> list[tuple[str, str]]:
    """Those that would do something now."""
    snapshot = repo.snapshot
    has_files = snapshot is not None and snapshot.done_count > 0
    offered = (
        ("sync", "Sync the list of files", True),
        ("download", "Download what is missing", snapshot is None or not repo.is_downloaded),
        ("update", "Update to the new commit", bool(repo.update_commit)),
        ("check", "Look for an update", snapshot is not None),
        ("install", "Install as a model", has_files),
        ("verify", "Verify its files", has_files),
    )
    return [(name, label) for name, label, useful in offered if useful]
