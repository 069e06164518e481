"""Signatures as the reference implementation of the specification reads them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from dreamforge_site.accounts.models import User
from jobs.webhooks import endpoints, signing
from jobs.webhooks.hooks import Hook
from jobs.webhooks.models import Keyed, WebhookEndpoint, WebhookKey

BODY = '{"type":"job.succeeded","data":{"prompt":"ein Bär 🐻"}}'.encode()
URL = "https://hooks.example.org/"


def signed(keyed: Keyed, moment: Any = None) -> dict[str, str]:
    return signing.headers(keyed, "msg_1", moment or timezone.now(), BODY)


def test_the_reference_implementation_accepts_what_we_sign(owner: User) -> None:
    endpoint = endpoints.create(owner, Hook(URL))
    Webhook(signing.secret_of(endpoint)).verify(BODY, signed(endpoint))


@pytest.mark.parametrize("change", ["webhook-id", "webhook-timestamp", "body"])
def test_a_changed_message_is_not_accepted(owner: User, change: str) -> None:
    endpoint = endpoints.create(owner, Hook(URL))
    parts: dict[str, Any] = {**signed(endpoint), "body": BODY}
    parts[change] = parts[change][:-1] + (b"1" if change == "body" else "1")
    if change == "webhook-timestamp":
        parts[change] = str(int(signed(endpoint)[change]) + 1)
    if change == "webhook-id":
        parts[change] = "msg_2"
    body = parts.pop("body")
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.secret_of(endpoint)).verify(body, parts)


def test_while_a_rotation_lasts_both_secrets_verify_and_then_only_the_new_one(
    owner: User,
) -> None:
    endpoint = endpoints.create(owner, Hook(URL))
    old = signing.secret_of(endpoint)
    endpoints.rotate(endpoint)
    new = signing.secret_of(endpoint)
    assert new != old
    headers = signed(endpoint)
    Webhook(old).verify(BODY, headers)
    Webhook(new).verify(BODY, headers)
    later = signed(endpoint, timezone.now() + signing.OVERLAP)
    assert headers["webhook-signature"].count("v1,") == 2
    assert later["webhook-signature"].count("v1,") == 1
    WebhookEndpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    endpoint.refresh_from_db()
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, signed(endpoint))


def test_each_endpoint_and_account_has_a_secret_of_its_own(owner: User) -> None:
    other = User.objects.create_user("grace")
    keyed: list[Keyed] = [
        endpoints.create(owner, Hook(URL)),
        endpoints.create(owner, Hook(URL)),
        endpoints.account_key(owner.pk),
        endpoints.account_key(other.pk),
    ]
    assert len({signing.secret_of(each) for each in keyed}) == 4
    again = signing.secret_of(endpoints.account_key(owner.pk))
    assert again == signing.secret_of(keyed[2])


def test_the_database_holds_no_secret_and_another_secret_key_makes_others(
    owner: User, settings: Settings
) -> None:
    endpoint, key = endpoints.create(owner, Hook(URL)), endpoints.account_key(owner.pk)
    secrets = [signing.secret_of(endpoint), signing.secret_of(key)]
    rows = [*WebhookEndpoint.objects.all(), *WebhookKey.objects.all()]
    dump = serializers.serialize("json", rows)
    assert [secret.removeprefix("whsec_") in dump for secret in secrets] == [False, False]
    settings.SECRET_KEY = "another" * 10
    assert signing.secret_of(endpoint) not in secrets
