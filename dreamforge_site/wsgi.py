"""Django itself; `asgi.py` puts it behind the one port."""

import os

from django.core.wsgi import get_wsgi_application

from dreamforge_site.operations import tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")
tracing.start("web")
application = get_wsgi_application()
