from django.db import migrations, models

# The history of a thing, newest first, page by page: Django's table has no index for it. By its
# name here, since a model of Django's takes none of ours.
NAME = "admin_log_of_thing"
MAKE = (
    f"CREATE INDEX {NAME} ON django_admin_log"
    " (content_type_id, object_id, action_time DESC, id DESC)"
)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0003_long_lists"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [
        # The database gives it too: workers of the version before make users without it.
        migrations.AddField(
            model_name="user",
            name="sessions_ended",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunSQL(MAKE, f"DROP INDEX {NAME}"),
    ]
