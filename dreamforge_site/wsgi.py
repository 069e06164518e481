"""Django itself; `asgi.py` puts it behind the one port."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")
application = get_wsgi_application()
