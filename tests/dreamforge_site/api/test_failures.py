"""One envelope from every layer."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings
from structlog.testing import capture_logs

from tests.dreamforge_site.api.sample_site import SECRET

ENVELOPE = {"code", "message", "details", "correlation_id"}
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
JSON = "application/json"


def assert_envelope(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == JSON
    envelope: dict[str, Any] = response.json()
    assert set(envelope) == ENVELOPE
    assert envelope["code"] == code
    assert isinstance(envelope["details"], dict)
    assert envelope["correlation_id"]
    assert "Traceback" not in response.content.decode()
    assert "hunter2" not in response.content.decode()
    return envelope


CONTRACT = {
    400: ["malformed_request"],
    401: ["unauthenticated"],
    403: ["forbidden", "upstream_gated"],
    404: ["not_found"],
    405: ["method_not_allowed"],
    409: [
        "conflict",
        "idempotency_conflict",
        "idempotency_in_progress",
        "already_downloaded",
        "invalid_state",
    ],
    413: ["payload_too_large"],
    415: ["unsupported_media_type"],
    422: ["invalid_input"],
    429: ["rate_limited"],
    500: ["internal"],
    502: ["upstream_error"],
    503: ["infra_unavailable"],
    507: ["insufficient_storage"],
}


@pytest.mark.parametrize(
    ("code", "status"), [(code, status) for status, codes in CONTRACT.items() for code in codes]
)
def test_every_code_of_the_contract_has_its_status(sample: Client, code: str, status: int) -> None:
    assert_envelope(sample.get(f"/v1/failing/{code}"), status, code)


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("not-found", 404, "not_found"),
        ("forbidden", 403, "forbidden"),
        ("unauthenticated", 401, "unauthenticated"),
        ("throttled", 429, "rate_limited"),
        ("database", 503, "infra_unavailable"),
        ("interface", 503, "infra_unavailable"),
        ("crash", 500, "internal"),
        ("unknown-code", 500, "internal"),
    ],
)
def test_foreign_exceptions_become_the_envelope(
    sample: Client, what: str, status: int, code: str
) -> None:
    assert_envelope(sample.get(f"/v1/failing/{what}"), status, code)


def test_an_error_of_a_job_carries_the_jobs_id_and_facts(sample: Client) -> None:
    envelope = assert_envelope(sample.get("/v1/failing/job"), 409, "invalid_state")
    assert envelope["correlation_id"] == "job-7"
    assert envelope["details"] == {"status": "failed"}


def test_any_other_error_carries_the_request_id(sample: Client) -> None:
    response = sample.get("/v1/failing/crash", HTTP_X_REQUEST_ID="from-the-client")
    assert response["X-Request-Id"] == "from-the-client"
    assert response.json()["correlation_id"] == "from-the-client"


@pytest.mark.parametrize(
    ("what", "header", "value"),
    [
        ("unauthenticated", "WWW-Authenticate", "Bearer"),
        ("throttled", "Retry-After", "8"),
        ("rate_limited", "Retry-After", "1"),
        ("slow-down", "Retry-After", "42"),
        ("database", "Retry-After", "5"),
    ],
)
def test_the_status_brings_its_header(sample: Client, what: str, header: str, value: str) -> None:
    assert sample.get(f"/v1/failing/{what}")[header] == value


def test_a_wrong_method_names_the_right_ones(sample: Client) -> None:
    response = sample.put("/v1/cancel", {}, JSON)
    assert_envelope(response, 405, "method_not_allowed")
    assert response["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/pictures/", "/v1/pictures/7/x"])
def test_an_unrouted_address_is_not_found_whatever_the_method(
    sample: Client, path: str, method: str
) -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    assert_envelope(getattr(sample, method)(path), 404, "not_found")
    assert_envelope(getattr(strict, method)(path), 404, "not_found")


@override_settings(DEBUG=True)
def test_an_unrouted_address_shows_no_page_in_debug_mode(sample: Client) -> None:
    assert_envelope(sample.get("/v1/nothing", HTTP_ACCEPT=BROWSER), 404, "not_found")


def test_head_of_an_error_has_no_body(sample: Client) -> None:
    response = sample.head("/v1/failing/crash")
    assert response.status_code == 500
    assert response.content == b""


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/v1/x", 500, "internal"), ("/v1/database", 503, "infra_unavailable")],
)
def test_an_exception_outside_every_view_becomes_the_envelope(
    sample: Client, settings: Any, path: str, status: int, code: str
) -> None:
    failing = "tests.dreamforge_site.api.sample_site.FailingMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, failing]
    response = sample.get(path)
    envelope = assert_envelope(response, status, code)
    assert envelope["correlation_id"] == response["X-Request-Id"]


def test_a_value_that_is_no_json_becomes_the_envelope(sample: Client) -> None:
    assert_envelope(sample.get("/v1/unrenderable"), 500, "internal")


def test_a_plain_view_that_crashes_becomes_the_envelope(sample: Client) -> None:
    assert_envelope(sample.get("/v1/crash", HTTP_ACCEPT=BROWSER), 500, "internal")


@pytest.mark.parametrize("path", ["/v1/failing/crash", "/v1/crash", "/v1/unrenderable"])
def test_a_crash_is_logged_once_with_its_traceback(
    sample: Client, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with capture_logs() as logged:
        sample.get(path)
    errors = [line for line in logged if line["log_level"] == "error"]
    assert [line["event"] for line in errors] == ["request_failed"]
    assert errors[0]["exc_info"].__traceback__ is not None
    assert [record for record in caplog.records if record.name == "django.request"] == []


def test_a_foreign_host_is_refused(site: Client) -> None:
    response = site.get("/v1/version", HTTP_HOST="evil.test")
    assert_envelope(response, 400, "malformed_request")


def test_the_admins_forms_refuse_a_missing_csrf_token_with_a_page() -> None:
    strict = Client(enforce_csrf_checks=True)
    page = strict.post("/admin/login/", {}, HTTP_ACCEPT=BROWSER)
    assert page.status_code == 403
    assert "CSRF" in page.content.decode()
    assert page["Content-Type"].startswith("text/html")


def test_a_client_that_asks_for_no_html_gets_json_outside_the_api_too() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert_envelope(strict.post("/admin/login/", {}), 403, "forbidden")


def test_a_browser_gets_a_page_outside_the_api(sample: Client) -> None:
    missing, broken = (
        sample.get("/nowhere", HTTP_ACCEPT=BROWSER),
        sample.get("/crash", HTTP_ACCEPT=BROWSER),
    )
    assert missing.status_code == 404
    assert "There is nothing at this address" in missing.content.decode()
    assert broken.status_code == 500
    assert SECRET not in broken.content.decode()
    assert broken["X-Request-Id"] in broken.content.decode()


def test_the_browsable_api_shows_the_envelope(sample: Client) -> None:
    page = sample.get("/v1/failing/job", HTTP_ACCEPT=BROWSER)
    assert page.status_code == 409
    assert page["Content-Type"].startswith("text/html")
    assert "&quot;correlation_id&quot;: &quot;job-7&quot;" in page.content.decode()
