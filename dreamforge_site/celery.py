"""The Celery application: its broker, its queues, and the request id that travels with a task."""

from __future__ import annotations

import os
from typing import Any

import structlog
from celery import Celery, signals
from kombu.transport import TRANSPORT_ALIASES

from dreamforge_site import broker, correlation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dreamforge_site.settings")

REQUEST_ID_HEADER = "request_id"
TRANSPORT_ALIASES[broker.EMBEDDED] = "dreamforge_site.embedded_broker:Transport"

app = Celery("dreamforge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery configures logging unless somebody listens here; `logs.py` has done it already."""


@signals.before_task_publish.connect
def send_request_id(headers: dict[str, Any] | None = None, **_: Any) -> None:
    request_id = correlation.current()
    if headers is not None and request_id:
        headers.setdefault(REQUEST_ID_HEADER, request_id)


@signals.task_prerun.connect
def bind_request_id(task: Any = None, task_id: str = "", **_: Any) -> None:
    """Every log line of the task names it, and the request that caused it."""
    facts = {"task": task.name, "task_id": task_id}
    request_id = task.request.get(REQUEST_ID_HEADER)
    if request_id:
        facts[REQUEST_ID_HEADER] = request_id
    task.request.log_tokens = structlog.contextvars.bind_contextvars(**facts)


@signals.task_postrun.connect
def unbind_request_id(task: Any = None, **_: Any) -> None:
    structlog.contextvars.reset_contextvars(**task.request.log_tokens)
