"""The pages that are looked at: in light and dark, on a desk and on a phone.

A page is one row. Its path leads into a site that `tests.browser.seeding` has filled, with ids that
are always the same. A page added here gets its pictures (`make screenshots`), its accessibility
check and the check that nothing hostile widens it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.browser.seeding import OPERATOR, id_of


@dataclass(frozen=True)
class Shown:
    """`ready`: a CSS selector of what the page shows once it is drawn. `who`: name and password;
    None for somebody who has not signed in."""

    name: str
    path: str
    ready: str = "#content"
    who: tuple[str, str] | None = OPERATOR


PAGES = (
    Shown("admin-login", "/admin/login/", "button[type=submit]", None),
    Shown("admin-overview", "/admin/", "[data-live=work]"),
    Shown("admin-jobs", "/admin/jobs/job/", "#result_list"),
    Shown("admin-jobs-oldest", "/admin/jobs/job/?p=last", "nav.df-pages"),
    Shown("admin-jobs-dead", "/admin/jobs/job/?dead=open", "#result_list"),
    Shown("admin-job-drawn", f"/admin/jobs/job/{id_of('job drawn')}/change/", "#log"),
    Shown("admin-job-dead", f"/admin/jobs/job/{id_of('job dead')}/change/", "#log"),
    Shown("admin-job-running", f"/admin/jobs/job/{id_of('job running')}/change/", "#log"),
    Shown("admin-job-requeue", f"/admin/jobs/job/{id_of('job dead')}/requeue/", "textarea"),
    Shown("admin-queues", "/admin/jobs/queue/", "[data-live=queue-gpu]"),
    Shown("admin-queue-history", "/admin/jobs/queue/io/history/", "table"),
    Shown("admin-workers", "/admin/jobs/worker/", "#result_list"),
    Shown("admin-models", "/admin/registry/model/", "#result_list"),
    Shown(
        "admin-model", f"/admin/registry/model/{id_of('model epicrealism-xl')}/change/", "#content"
    ),
    Shown("admin-downloads", "/admin/downloader/download/", "#result_list"),
    Shown("admin-download", f"/admin/downloader/download/{id_of('job fetching')}/change/"),
    Shown("admin-download-start", "/admin/downloader/download/start/"),
    Shown("admin-webhooks", "/admin/jobs/webhookendpoint/"),
    Shown("admin-settings", "/admin/settings/"),
    Shown("admin-repos", "/admin/downloader/repo/"),
    Shown("admin-quarantine", "/admin/downloader/download/quarantine/"),
    Shown("admin-explore", "/admin/downloader/repo/explore/"),
    Shown("admin-keys", "/admin/accounts/apikey/"),
    Shown("portal-sign-in", "/app/sign-in", "#id_password", None),
    Shown("portal-register", "/app/register", "#password", None),
    Shown("portal-home", "/app/", "#recent .tile"),
    Shown("portal-images", "/app/images", "#found .tile"),
    Shown("portal-models", "/app/models", "#found .card"),
    Shown("portal-downloads", "/app/downloads", "#found .card"),
    Shown("portal-download", f"/app/downloads/{id_of('job fetching')}", "#files progress"),
    Shown("portal-repositories", "/app/repositories", "#found .card"),
    Shown("portal-repository", f"/app/repositories/{id_of('repo hostile')}", "#files .path"),
)
