from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "dreamforge_site.accounts"
    label = "accounts"
    verbose_name = "Accounts"
