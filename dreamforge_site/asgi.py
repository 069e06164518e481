"""What the web server serves: the front, with Django behind it."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")

from dreamforge_site.wsgi import application as django_application  # isort: skip  sets Django up
from django.conf import settings

from dreamforge_site.front.bridge import Bridge
from dreamforge_site.front.express import Express
from dreamforge_site.front.router import Front
from dreamforge_site.operations import tracing

application = Front(
    Bridge(django_application, threads=settings.ENVIRONMENT.web_threads),
    loopback_only=not settings.AUTH_REQUIRED,
    # Traces are made by Django's own handler.
    express=Express({} if tracing.is_wanted(os.environ) else settings.EXPRESS),
)
