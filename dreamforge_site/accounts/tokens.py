"""Access tokens (JWT, HS256) and the random secrets behind refresh tokens and API keys.

An access token names its user and its sign-in and is believed only while that sign-in lives, so
logout, a changed password and a deactivated account end it at once (see sign_ins).
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac

from dreamforge_site.accounts import clock
from dreamforge_site.accounts.errors import UnauthenticatedError

ALGORITHM = "HS256"
ISSUER = "dreamforge"
AUDIENCE = "dreamforge-api"
ACCESS = "access"
LEEWAY_S = 10
LONGEST = 4096
SECRET_BYTES = 32
REQUIRED = ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti", "typ"]


@dataclass(frozen=True)
class AccessClaims:
    user_id: uuid.UUID
    sign_in_id: uuid.UUID


def issue_access(claims: AccessClaims) -> str:
    now = clock.now()
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(claims.user_id),
        "sid": str(claims.sign_in_id),
        "iat": now,
        "nbf": now,
        "exp": now + settings.ACCESS_TOKEN_TTL,
        "jti": secrets.token_hex(16),
        "typ": ACCESS,
    }
    return jwt.encode(payload, _key(), algorithm=ALGORITHM)


def read_access(text: str) -> AccessClaims:
    """The claims of a token that we signed and that has not expired, or UnauthenticatedError."""
    if len(text) > LONGEST:
        raise UnauthenticatedError("The token is too long to be one of ours.")
    try:
        claims = _decode(text)
        if claims["typ"] != ACCESS:
            raise UnauthenticatedError("This is not an access token.")
        return AccessClaims(uuid.UUID(claims["sub"]), uuid.UUID(claims["sid"]))
    except jwt.ExpiredSignatureError as error:
        raise UnauthenticatedError("The token has expired; refresh it or sign in again.") from error
    # Beside PyJWT's own errors: claims of a wrong type, text that is no ASCII.
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise UnauthenticatedError("The token is not valid; sign in again.") from error


def new_secret() -> str:
    """256 random bits: nothing to guess, so one round of SHA-256 is enough to keep it."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _decode(text: str) -> dict[str, Any]:
    return jwt.decode(
        text,
        _key(),
        algorithms=[ALGORITHM],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=LEEWAY_S,
        options={"require": REQUIRED},
    )


def _key() -> bytes:
    """Derived, so that a token can never stand in for a session or a signed link."""
    return salted_hmac("dreamforge.accounts.tokens", ACCESS, algorithm="sha256").digest()
