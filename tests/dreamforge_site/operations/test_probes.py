"""Probes as monitors send them: by address, without credentials, over plain http."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

AS_A_MONITOR = {"SERVER_NAME": "10.1.2.3", "REMOTE_ADDR": "127.0.0.1"}
IN_PRODUCTION = override_settings(ALLOWED_HOSTS=["forge.example.org"], SECURE_SSL_REDIRECT=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@IN_PRODUCTION
def test_probe_is_answered_whatever_host_it_names(path: str, client: Client) -> None:
    answer = client.get(path, **AS_A_MONITOR)  # type: ignore[arg-type]  # the environ's own names
    assert answer.status_code == 200
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.pure
@IN_PRODUCTION
def test_any_other_address_still_wants_a_known_host(client: Client) -> None:
    answer = client.get("/v1/version", secure=True, **AS_A_MONITOR)  # type: ignore[arg-type]  # as above
    assert answer.status_code == 400
    assert "DF_ALLOWED_HOSTS" in answer.json()["message"]


@pytest.mark.pure
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1"])
def test_post_to_a_reading_address_is_told_so_and_not_asked_for_a_token(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(path).status_code == 405
