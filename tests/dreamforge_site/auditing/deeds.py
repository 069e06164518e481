"""Every operation that changes something: what the admin's log says of it, or why it says nothing.

A deed names the request, and the page of the admin and the command that do the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from django.db.models import Model as Row

from downloader.hub.models import Repo, RepoFile
from dreamforge_site.accounts.models import ApiKey, User
from jobs.models import Artifact, Job
from jobs.webhooks.models import WebhookDelivery, WebhookEndpoint
from registry.models import Model


@dataclass(frozen=True)
class World:
    boss: User
    queued: Job
    dead: Job
    scanning: Job
    scanned: Job
    image: Artifact
    repo: Repo
    file: RepoFile
    model: Model
    disabled: Model
    webhook: WebhookEndpoint
    delivery: WebhookDelivery
    key: ApiKey

    @property
    def ids(self) -> set[str]:
        rows: list[Row] = [getattr(self, one.name) for one in fields(self)]
        return {str(row.pk) for row in rows} | {str(self.image.job_id)}


Request = tuple[str, str, dict[str, Any] | None]
Page = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Deed:
    told: str  # how its entry begins
    api: Callable[[World], Request]
    admin: Callable[[World], Page] | None = None
    command: Callable[[World], list[str]] | None = None


def post(path: Callable[[World], str], body: Any = None) -> Callable[[World], Request]:
    given = body if callable(body) else lambda _world: body
    return lambda world: ("post", path(world), given(world))


def chosen(where: str, action: str, row: Callable[[World], Row]) -> Callable[[World], Page]:
    """An action of a list of the admin."""
    return lambda world: (
        f"/admin/{where}/",
        {"action": action, "_selected_action": [str(row(world).pk)], "index": "0"},
    )


def button(name: str) -> Callable[[World], Page]:
    """Of a repository's page."""
    return lambda world: (f"/admin/downloader/repo/{world.repo.pk}/do/", {"do": name})


def on_repo(name: str, *words: str) -> Callable[[World], list[str]]:
    return lambda world: [name, world.repo.full_name, *words]


REF = "hf:forge/other"
NEW_KEY = {"name": "renders", "scopes": ["read"]}
MODELS = "/admin/downloader/download/models"

JOBS = {
    "jobs_cancel": Deed(
        "canceled: queued → canceled.",
        post(lambda world: f"/v1/jobs/{world.queued.pk}/cancel"),
        chosen("jobs/job", "cancel", lambda world: world.queued),
        lambda world: ["job_cancel", str(world.queued.pk)],
    ),
    "jobs_requeue": Deed(
        "requeued as NEW: dead letter → settled dead letter; ticks: 4 → 1.",
        post(lambda world: f"/v1/jobs/{world.dead.pk}/requeue", {"params": {"ticks": 1}}),
        lambda world: (f"/admin/jobs/job/{world.dead.pk}/requeue/", {"params": '{"ticks": 1}'}),
        lambda world: ["job_requeue", str(world.dead.pk), "--params", '{"ticks": 1}'],
    ),
    "jobs_requeue_dead": Deed(
        "requeued as NEW: dead letter → settled dead letter.",
        post(lambda _world: "/v1/jobs:requeue-dead", {}),
        chosen("jobs/job", "requeue", lambda world: world.dead),
        lambda _world: ["job_requeue", "--dead"],
    ),
    "artifacts_remove": Deed(
        "removed the image 0",
        lambda world: ("delete", f"/v1/artifacts/{world.image.pk}", None),
    ),
    "queues_pause": Deed(
        "paused: open → paused (a new disk).",
        post(lambda _world: "/v1/queues/io/pause", {"reason": "a new disk"}),
        lambda _world: (
            "/admin/jobs/queue/",
            {"queue": "io", "action": "pause", "reason": "a new disk"},
        ),
        lambda _world: ["queue_pause", "io", "--reason", "a new disk"],
    ),
    "queues_resume": Deed(
        "resumed: open as before.",
        post(lambda _world: "/v1/queues/io/resume"),
        lambda _world: ("/admin/jobs/queue/", {"queue": "io", "action": "resume"}),
        lambda _world: ["queue_resume", "io"],
    ),
}
WEBHOOKS = {
    "webhooks_create": Deed(
        "made: of: boss; host: hooks.example.org",
        post(lambda _world: "/v1/webhooks", {"url": "https://hooks.example.org/s3cret"}),
    ),
    "webhooks_delete": Deed(
        "deleted: of: boss; host: hooks.example.org",
        lambda world: ("delete", f"/v1/webhooks/{world.webhook.pk}", None),
        lambda world: (
            f"/admin/jobs/webhookendpoint/{world.webhook.pk}/delete/",
            {"post": "yes"},
        ),
    ),
    "webhooks_resume": Deed(
        "resumed: paused → active.",
        post(lambda world: f"/v1/webhooks/{world.webhook.pk}/resume"),
        chosen("jobs/webhookendpoint", "resume", lambda world: world.webhook),
    ),
    "webhooks_secret": Deed(
        "given another secret.",
        post(lambda world: f"/v1/webhooks/{world.webhook.pk}/secret", {"rotate": True}),
    ),
    "webhooks_account_secret": Deed(
        "given another secret.", post(lambda _world: "/v1/webhooks/secret", {"rotate": True})
    ),
    "webhooks_test": Deed(
        "sent a test.",
        post(lambda world: f"/v1/webhooks/{world.webhook.pk}/test"),
        chosen("jobs/webhookendpoint", "test", lambda world: world.webhook),
    ),
    "webhooks_deliveries_resend": Deed(
        "sent again: failed → pending.",
        post(lambda world: f"/v1/webhooks/deliveries/{world.delivery.pk}/resend"),
        chosen("jobs/webhookdelivery", "resend", lambda world: world.delivery),
    ),
}
KEYS = {
    "auth_keys_create": Deed(
        "made: of: boss; scopes: read.",
        post(lambda _world: "/v1/auth/keys", NEW_KEY),
        lambda world: ("/admin/accounts/apikey/add/", {**NEW_KEY, "owner": str(world.boss.pk)}),
        lambda _world: ["apikey_create", "--user", "boss", "--name", "renders", "--scopes", "read"],
    ),
    "auth_keys_revoke": Deed(
        "revoked: live → revoked.",
        lambda world: ("delete", f"/v1/auth/keys/{world.key.pk}", None),
        chosen("accounts/apikey", "revoke", lambda world: world.key),
        lambda world: ["apikey_revoke", world.key.prefix],
    ),
}
MODEL = {
    "models_enable": Deed(
        "enabled: disabled → enabled.",
        post(lambda world: f"/v1/models/{world.disabled.pk}/enable"),
        chosen("registry/model", "enable", lambda world: world.disabled),
        lambda world: ["model_enable", str(world.disabled.pk)],
    ),
    "models_disable": Deed(
        "disabled: enabled → disabled.",
        post(lambda world: f"/v1/models/{world.model.pk}/disable"),
        chosen("registry/model", "disable", lambda world: world.model),
        lambda world: ["model_disable", str(world.model.pk)],
    ),
    "models_defaults": Deed(
        "given defaults: negative_prompt changed; steps: 30 → 20.",
        lambda world: (
            "patch",
            f"/v1/models/{world.model.pk}/defaults",
            {"defaults": {"steps": 20, "negative_prompt": "a s3cret wish"}},
        ),
        lambda world: (
            f"/admin/registry/model/{world.model.pk}/defaults/",
            {"steps": "20", "negative_prompt": "a s3cret wish"},
        ),
    ),
    "models_remove": Deed(
        "disabled: enabled → disabled.",
        post(lambda world: f"/v1/models/{world.model.pk}/remove", {}),
        lambda world: (f"{MODELS}/{world.model.pk}/remove/", {}),
        lambda world: ["model_remove", str(world.model.pk)],
    ),
    "models_download": Deed(
        f"download started: ref: {REF}; name: forge; enable: no.",
        post(lambda _world: "/v1/models:download", {"ref": REF, "name": "forge", "enable": False}),
        lambda _world: (
            "/admin/downloader/download/start/",
            {"ref": REF, "name": "forge", "_start": "1"},
        ),
    ),
    "models_verify": Deed(
        "verification started as job NEW.",
        post(lambda _world: "/v1/models:verify", lambda world: {"model_id": str(world.model.pk)}),
        lambda world: (f"{MODELS}/{world.model.pk}/verify/", {}),
        lambda world: ["model_verify", str(world.model.pk)],
    ),
}
HUB = {
    "hub_register": Deed(
        "registered: auto_sync: yes.",
        post(
            lambda _world: "/v1/hub/register",
            {"source_repo_id": "forge/other", "auto_sync": True},
        ),
        command=lambda _world: ["hub_register", "forge/other", "--auto-sync"],
    ),
    "hub_models_change": Deed(
        "changed: auto_sync: no → yes.",
        lambda world: ("patch", f"/v1/hub/models/{world.repo.pk}", {"auto_sync": True}),
        command=on_repo("hub_register", "--auto-sync"),
    ),
    "hub_models_forget": Deed(
        "removed: commits: ",
        lambda world: ("delete", f"/v1/hub/models/{world.repo.pk}?files=true", None),
        lambda world: (f"/admin/downloader/repo/{world.repo.pk}/remove/", {"forget": "1"}),
        on_repo("hub_remove", "--forget"),
    ),
    "hub_models_mark_missing": Deed(
        "marked missing: files: 3.",
        post(lambda world: f"/v1/hub/models/{world.repo.pk}/mark-missing"),
    ),
    "hub_sync": Deed(
        "sync started as job NEW.",
        post(lambda _world: "/v1/hub/sync", lambda world: {"repo_id": world.repo.full_name}),
        button("sync"),
        on_repo("hub_sync"),
    ),
    "downloads_create": Deed(
        "download started as job NEW.",
        post(lambda _world: "/v1/downloads", {"author": "forge", "repo": "sketch"}),
        button("download"),
        on_repo("hub_download"),
    ),
    "hub_download": Deed(
        "download started as job NEW: files: 1.",
        post(
            lambda _world: "/v1/hub/download",
            lambda world: {"artifact_ids": [str(world.file.pk)]},
        ),
    ),
    "hub_models_install": Deed(
        "installation started as job NEW: kind: vae; path: vae/model.safetensors; enable: yes.",
        post(
            lambda world: f"/v1/hub/models/{world.repo.pk}/install",
            {"path": "vae/model.safetensors", "kind": "vae"},
        ),
        command=on_repo("hub_install", "--path", "vae/model.safetensors", "--kind", "vae"),
    ),
    "hub_check": Deed(
        "look for news started as job NEW.",
        post(lambda world: f"/v1/hub/models/{world.repo.pk}/check"),
        button("check"),
        on_repo("hub_check"),
    ),
    "hub_update": Deed(
        "update started as job NEW: commit: ",
        post(lambda world: f"/v1/hub/models/{world.repo.pk}/update"),
        button("update"),
        on_repo("hub_update"),
    ),
    "hub_models_verify": Deed(
        "verification started as job NEW.",
        post(lambda world: f"/v1/hub/models/{world.repo.pk}/verify"),
        button("verify"),
        on_repo("hub_verify"),
    ),
    "hub_models_rescan": Deed(
        "scan started as job NEW.", post(lambda world: f"/v1/hub/models/{world.repo.pk}/rescan")
    ),
    "hub_scan": Deed("scan started.", post(lambda _world: "/v1/hub/scan", {})),
    "downloads_cancel": Deed(
        "canceled: queued → canceled.",
        post(lambda world: f"/v1/downloads/{world.scanning.pk}/cancel"),
        chosen("jobs/job", "cancel", lambda world: world.scanning),
        lambda world: ["job_cancel", str(world.scanning.pk)],
    ),
    "downloads_retry": Deed(
        "requeued as NEW: failed as before.",
        post(lambda world: f"/v1/downloads/{world.scanned.pk}/retry"),
        chosen("jobs/job", "requeue", lambda world: world.scanned),
        lambda world: ["job_requeue", str(world.scanned.pk)],
    ),
}
LOGGED = {**JOBS, **WEBHOOKS, **KEYS, **MODEL, **HUB}
NOT_LOGGED = {
    "artifacts_verify": "It looks at an image and changes nothing.",
    "hf_parse_url": "It reads an address and changes nothing.",
    "jobs_create": "The job's own row says who wants what drawn; a job of the hub is told below.",
    "jobs_replay": "As for a job that is created: its row names its owner and the job it repeats.",
    "auth_login": "The sign-in is a row of its own.",
    "auth_refresh": "The sign-in is a row of its own.",
    "auth_logout": "The sign-in's row says when it ended.",
    "auth_register": "Nobody is signed in yet; the account's own row says when it was made.",
}
