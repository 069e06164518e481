from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "dreamforge_site"
    verbose_name = "Dream Forge"

    def ready(self) -> None:
        # Registers the boot checks, and the Celery app that every task is sent through.
        from dreamforge_site import celery, checks  # noqa: F401
