from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "dreamforge_site.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        post_migrate.connect(sync_groups, dispatch_uid="dreamforge.accounts.groups")


def sync_groups(sender: AppConfig, using: str, apps: Any = installed, **_: Any) -> None:
    """Once a migration, after the last app: each app's permissions are made just before."""
    from dreamforge_site.accounts import groups

    if sender == _last_to_migrate():
        groups.sync(apps, using)


def _last_to_migrate() -> AppConfig:
    return [config for config in installed.get_app_configs() if config.models_module is not None][
        -1
    ]
