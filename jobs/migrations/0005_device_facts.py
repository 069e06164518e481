from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0004_thumbnails'),
    ]

    operations = [
        migrations.AddField(
            model_name='worker',
            name='device_facts',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
    ]
