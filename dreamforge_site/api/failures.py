from rest_framework.views import exception_handler as handle  # noqa: F401
from django.views.csrf import csrf_failure  # noqa: F401
