"""Signing in, staying signed in, signing out: the life of a family of tokens.

    begin ── access + refresh ──▶ refresh (rotates) ──▶ … ──▶ end | expiry | another password

A refresh token is used once. Parallel tabs may use the same one within REUSE_LEEWAY of each other;
after that a second use means somebody else has a copy, and the whole family ends. Every move of a
family first takes the lock of its `SignIn` row, so a rotation never outlives a revocation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

from dreamforge_site.accounts import clock, open_access, tokens
from dreamforge_site.accounts.errors import UnauthenticatedError
from dreamforge_site.accounts.models import RefreshToken, SignIn, User
from registry import auditing

REUSE_LEEWAY = timedelta(seconds=30)
# An access token may outlive its refresh token, by a day at most.
KEPT_AFTER_EXPIRY = timedelta(days=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TokenPair:
    user: User
    access: str
    refresh: str
    expires_in_s: int


@transaction.atomic
def begin(user: User) -> TokenPair:
    now = clock.now()
    sign_in = SignIn.objects.create(
        user=user,
        password_mark=password_mark(user),
        created_at=now,
        last_used_at=now,
        expires_at=now + settings.REFRESH_TOKEN_TTL,
    )
    User.objects.filter(pk=user.pk).update(last_login=now)
    return _pair(sign_in)


def refresh(text: str) -> TokenPair:
    token = _find(text)
    pair = _rotate(token) if token is not None else None
    if pair is None:
        raise UnauthenticatedError("The refresh token is not valid any more; sign in again.")
    return pair


def end(text: str) -> None:
    """Sign out; a token that is unknown or already dead is as signed out as it can be."""
    _revoke(SignIn.objects.filter(refresh_tokens__digest=tokens.digest(text)))


def end_all(user: User) -> int:
    return _revoke(SignIn.objects.filter(user=user))


def revoke(sign_in: SignIn, *, by: Any = None) -> bool:
    """Whether this call ended it."""
    with transaction.atomic():
        ended = _revoke(SignIn.objects.filter(pk=sign_in.pk))
        if ended:
            moved = auditing.moved("signed in", "signed out")
            auditing.note(sign_in, by, auditing.sentence("revoked", moved))
    return bool(ended)


def caller(access: str) -> User:
    """Who holds this access token; one query."""
    claims = tokens.read_access(access)
    sign_in = SignIn.objects.select_related("user").filter(pk=claims.sign_in_id).first()
    if sign_in is None or sign_in.user_id != claims.user_id or not _alive(sign_in):
        raise UnauthenticatedError("You were signed out; sign in again.")
    return sign_in.user


def purge() -> int:
    """Forget the sign-ins that ended long enough ago, with their tokens; how many rows went."""
    now = clock.now()
    RefreshToken.objects.filter(expires_at__lte=now).delete()
    return SignIn.objects.filter(expires_at__lte=now - KEPT_AFTER_EXPIRY).delete()[0]


def password_mark(user: User) -> str:
    """Changes with the stored password (and when its hash is upgraded), tells nothing about it."""
    return salted_hmac(
        "dreamforge.accounts.password", user.password, algorithm="sha256"
    ).hexdigest()


def _find(text: str) -> RefreshToken | None:
    return (
        RefreshToken.objects.select_related("sign_in__user")
        .filter(digest=tokens.digest(text), expires_at__gt=clock.now())
        .first()
    )


@transaction.atomic
def _rotate(token: RefreshToken) -> TokenPair | None:
    now = clock.now()
    if not _alive(token.sign_in) or not _lock(token.sign_in, now):
        return None
    if not _use_once(token, now) and not _used_just_now(token, now):
        _revoke(SignIn.objects.filter(pk=token.sign_in_id))
        log.warning("refresh_token_reused", user_id=str(token.sign_in.user_id))
        return None
    return _pair(token.sign_in)


def _lock(sign_in: SignIn, now: datetime) -> bool:
    return bool(
        SignIn.objects.filter(pk=sign_in.pk, revoked_at=None).update(
            last_used_at=now, expires_at=now + settings.REFRESH_TOKEN_TTL
        )
    )


def _use_once(token: RefreshToken, now: datetime) -> bool:
    return bool(RefreshToken.objects.filter(pk=token.pk, rotated_at=None).update(rotated_at=now))


def _used_just_now(token: RefreshToken, now: datetime) -> bool:
    return RefreshToken.objects.filter(pk=token.pk, rotated_at__gt=now - REUSE_LEEWAY).exists()


def _alive(sign_in: SignIn) -> bool:
    return (
        sign_in.revoked_at is None
        and sign_in.user.is_active
        and not open_access.is_shut(sign_in.user)
        and constant_time_compare(sign_in.password_mark, password_mark(sign_in.user))
    )


def _pair(sign_in: SignIn) -> TokenPair:
    secret, now = tokens.new_secret(), clock.now()
    RefreshToken.objects.create(
        sign_in=sign_in,
        digest=tokens.digest(secret),
        created_at=now,
        expires_at=now + settings.REFRESH_TOKEN_TTL,
    )
    return TokenPair(
        user=sign_in.user,
        access=tokens.issue_access(tokens.AccessClaims(sign_in.user_id, sign_in.pk)),
        refresh=secret,
        expires_in_s=int(settings.ACCESS_TOKEN_TTL.total_seconds()),
    )


def _revoke(sign_ins: QuerySet[SignIn]) -> int:
    return sign_ins.filter(revoked_at=None).update(revoked_at=clock.now())
