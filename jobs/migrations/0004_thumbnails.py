from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0003_pixels'),
    ]

    operations = [
        migrations.AddField(
            model_name='artifact',
            name='has_thumbnail',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
