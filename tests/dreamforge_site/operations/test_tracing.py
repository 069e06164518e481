"""Traces: off and unimported by default, and one trace from the caller to our span when on."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from dreamforge_site.environment import BASE_DIR
from dreamforge_site.operations import tracing
from tests import environment

pytestmark = pytest.mark.pure

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
ASK = f"""
import sys
from dreamforge_site.operations import tracing
tracing.start("web")
import django; django.setup()
from django.test import Client, override_settings
with override_settings(ROOT_URLCONF="tests.dreamforge_site.operations.urls"):
    client = Client()
    client.get("/healthz", headers={{"traceparent": "{PARENT}"}})
    client.get("/items/7", headers={{"traceparent": "{PARENT}"}})
from dreamforge_site.celery import app
app.set_default()
if "opentelemetry" in sys.modules:
    from opentelemetry import trace
    trace.get_tracer_provider().shutdown()
"""


class Collector(http.server.ThreadingHTTPServer):
    """A receiver of OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Receiver(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The test's output is not the place."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def run(data_dir: Path, script: str = ASK, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=BASE_DIR,
        env={
            **environment.clean(),
            "DJANGO_SETTINGS_MODULE": "dreamforge_site.settings",
            "DF_DATA_DIR": str(data_dir),
            "DF_ALLOWED_HOSTS": "testserver",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_callers_trace_goes_on_in_our_span_and_our_log_lines(
    collector: Collector, tmp_path: Path
) -> None:
    done = run(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    assert done.returncode == 0, done.stdout + done.stderr
    ((resource,),) = [request.resource_spans for request in collector.requests]
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert [(span.name, span.trace_id.hex()) for span in spans] == [
        ("GET items/<int:pk>", TRACE_ID)
    ]
    named = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert named["service.name"] == "dreamforge-web"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (told,) = [line for line in lines if line["event"] == "item_shown"]
    assert told["trace_id"] == TRACE_ID


def test_the_operators_service_name_wins(collector: Collector, tmp_path: Path) -> None:
    run(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_SERVICE_NAME="mine")
    ((resource,),) = [request.resource_spans for request in collector.requests]
    named = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert named["service.name"] == "mine"


def test_spans_can_go_to_the_console_one_a_line(tmp_path: Path) -> None:
    done = run(tmp_path, OTEL_TRACES_EXPORTER="console")
    spans = [json.loads(line) for line in done.stdout.splitlines() if '"trace_id": "0x' in line]
    assert [span["context"]["trace_id"] for span in spans] == [f"0x{TRACE_ID}"]


TELL_MODULES = '; import sys; print([n for n in sys.modules if n.startswith("opentelemetry")])'


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_nothing_of_it_is_imported_unless_asked_for(
    variables: dict[str, str], tmp_path: Path
) -> None:
    script = 'from dreamforge_site.operations import tracing; tracing.start("web")' + TELL_MODULES
    done = run(tmp_path, script, **variables)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_missing_package_stops_with_one_line(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["opentelemetry"] = None
from dreamforge_site.operations import tracing
tracing.start("web")
"""
    done = run(tmp_path, script, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "pip install -r requirements/tracing.txt" in done.stderr


def test_an_unknown_exporter_stops_with_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, OTEL_TRACES_EXPORTER="zipkin")
    assert done.returncode == 1
    assert done.stderr == "OTEL_TRACES_EXPORTER: got 'zipkin', takes otlp, console, none\n"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"}, False),
    ],
)
def test_the_standard_variables_decide(variables: dict[str, str], wanted: bool) -> None:
    assert tracing.is_wanted(variables) is wanted
