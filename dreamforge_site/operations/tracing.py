"""OpenTelemetry traces, switched on by the standard OTEL_ variables and by nothing else.

While they are unset, nothing of opentelemetry is imported: it would cost every process its memory
and every request its time. The variables are OpenTelemetry's own, so they are read here and by its
libraries, and are not in our table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

log = structlog.get_logger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTERS = ("otlp", "console", "none")
# Probes ask every few seconds, and tell nothing.
UNTRACED = "/healthz$,/readyz$,/metrics$"


def start(role: str) -> bool:
    """Trace this process as `dreamforge-<role>` if the environment asks for it; call before Django
    loads its middleware. A wrong or missing part stops the process with one line."""
    if not is_wanted(os.environ):
        return False
    try:
        _start(role, _exporter_name(os.environ))
    except ImportError as error:
        raise SystemExit(
            "OTEL_…: traces are asked for, but a package is missing "
            f"({error.name}): pip install -r requirements/tracing.txt"
        ) from None
    log.info("tracing_started", role=role)
    return True


def is_wanted(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    asked = exporter or any(environment.get(name, "").strip() for name in ENDPOINTS)
    return bool(asked) and exporter != "none"


def _exporter_name(environment: Mapping[str, str]) -> str:
    name = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if name not in EXPORTERS:
        raise SystemExit(f"OTEL_TRACES_EXPORTER: got {name!r}, takes {', '.join(EXPORTERS)}")
    return name


def _start(role: str, exporter_name: str) -> None:
    os.environ.setdefault("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", UNTRACED)
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: f"dreamforge-{role}"}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter_name)))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    PsycopgInstrumentor().instrument()


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        # One span a line, beside the log lines.
        return ConsoleSpanExporter(formatter=lambda span: f"{span.to_json(indent=None)}\n")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
