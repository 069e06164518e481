"""The built-in groups; a post_migrate receiver then keeps their permissions in step (groups.py)."""

from django.db import migrations

NAMES = ("operators", "downloaders", "viewers")


def make(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in NAMES:
        group.objects.using(schema_editor.connection.alias).get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_users")]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
