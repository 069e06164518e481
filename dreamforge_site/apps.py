from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "dreamforge_site"
    verbose_name = "Dream Forge"

    def ready(self) -> None:
        from dreamforge_site import checks  # noqa: F401  registers the boot checks
