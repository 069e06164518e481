"""Signatures after the Standard Webhooks specification, and the secrets behind them.

A secret is derived from the service's secret key, the owner of the secret and a random salt, and
only the salt is stored. So the database alone forges nothing, the secret can be shown again, and
another salt is another secret. While a rotation lasts, the old secret signs beside the new one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.crypto import salted_hmac

from jobs.webhooks.models import Keyed

PREFIX = "whsec_"
SALT_BYTES = 24
OVERLAP = timedelta(hours=24)


def new_salt() -> str:
    return secrets.token_urlsafe(SALT_BYTES)


def secret_of(keyed: Keyed) -> str:
    """The current secret, as the receiver's verifier takes it."""
    return _text(_key(keyed, keyed.salt))


def rotate(keyed: Keyed) -> None:
    """A new secret; the old one goes on signing for OVERLAP. The caller saves."""
    keyed.previous_salt, keyed.previous_until = keyed.salt, timezone.now() + OVERLAP
    keyed.salt = new_salt()


def headers(keyed: Keyed, message_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    timestamp = str(int(moment.timestamp()))
    signed = b".".join([message_id.encode("ascii"), timestamp.encode("ascii"), body])
    signatures = [f"v1,{_signature(key, signed)}" for key in _keys(keyed, moment)]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _keys(keyed: Keyed, moment: datetime) -> list[bytes]:
    salts = [keyed.salt]
    if keyed.previous_salt and keyed.previous_until and moment < keyed.previous_until:
        salts.append(keyed.previous_salt)
    return [_key(keyed, salt) for salt in salts]


def _key(keyed: Keyed, salt: str) -> bytes:
    whose = f"{keyed._meta.model_name}:{keyed.pk}:{salt}"
    return salted_hmac("jobs.webhooks.signing", whose, algorithm="sha256").digest()


def _text(key: bytes) -> str:
    return PREFIX + base64.b64encode(key).decode("ascii")


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
