"""API keys: `dfk_<prefix>_<secret>`. The prefix finds the row, which holds the secret's hash."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import ADDITION
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field, Q
from django.utils.crypto import constant_time_compare

from dreamforge_site.accounts import clock, names, open_access, scopes, tokens
from dreamforge_site.accounts.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from dreamforge_site.accounts.models import ApiKey, User
from jobs.rows import Lookup
from registry import auditing

MARK = "dfk_"
PREFIX_LENGTH = 8
SHAPE = re.compile(r"dfk_([0-9a-z]{8})_([0-9A-Za-z_-]{43})")
# A busy key must not mean a write per request.
LAST_USE_PRECISION = timedelta(minutes=1)

# Asked at every call, so its SQL is compiled once.
_by_prefix = Lookup(lambda prefix: ApiKey.objects.select_related("owner").filter(prefix=prefix))


def make(
    owner: User,
    name: str,
    scope_names: Iterable[str],
    expires_at: datetime | None = None,
    *,
    by: Any = None,
) -> ApiKey:
    """A stored key whose `revealed` is the only copy of its text there will ever be."""
    key = ApiKey(
        owner=owner,
        name=_checked(ApiKey._meta.get_field("name"), name.strip()),
        scopes=scopes.parse(scope_names),
        expires_at=_checked(ApiKey._meta.get_field("expires_at"), expires_at),
    )
    seal(key)
    with transaction.atomic():
        key.save(force_insert=True)
        note_made(key, by)
    return key


def note_made(key: ApiKey, by: Any) -> None:
    facts = {
        "of": key.owner.get_username(),
        "scopes": ", ".join(key.scopes),
        "ends": clock.written(key.expires_at),
    }
    auditing.note(key, by, auditing.sentence("made", auditing.facts(facts)), ADDITION)


def seal(key: ApiKey) -> None:
    """Give an unsaved key its secret."""
    secret = tokens.new_secret()
    alphabet = string.ascii_lowercase + string.digits
    key.prefix = "".join(secrets.choice(alphabet) for _ in range(PREFIX_LENGTH))
    key.digest = tokens.digest(secret)
    key.revealed = f"{MARK}{key.prefix}_{secret}"


def verify(text: str, *, prepared: bool = False) -> ApiKey:
    """The live key with this text and its owner, in one query; UnauthenticatedError otherwise."""
    shape = SHAPE.fullmatch(text)
    if shape is None:
        raise UnauthenticatedError("This is not the form of an API key: dfk_<prefix>_<secret>.")
    prefix, secret = shape.groups()
    key = _by_prefix.first(prefix, prepared=prepared)
    if key is None or not constant_time_compare(key.digest, tokens.digest(secret)):
        raise UnauthenticatedError("The API key is not valid.")
    state = key.state(clock.now())
    if state != "live":
        raise UnauthenticatedError(f"The API key is {state}; make a new one.")
    if not key.owner.is_active:
        raise UnauthenticatedError("The owner of the API key is deactivated.")
    if open_access.is_shut(key.owner):
        raise UnauthenticatedError("The API key was for DF_AUTH=off; make one of your own.")
    _note_use(key)
    return key


def revoke(key: ApiKey, *, by: Any = None) -> bool:
    """Whether this call ended the key; revoking one that is revoked changes nothing."""
    now = clock.now()
    moved = auditing.moved(key.state(now), "revoked")
    with transaction.atomic():
        ended = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
        if ended:
            auditing.note(key, by, auditing.sentence("revoked", moved))
    return bool(ended)


def find(reference: str) -> ApiKey:
    """The key an operator means by its prefix, with or without `dfk_`."""
    prefix = reference.removeprefix(MARK).split("_")[0]
    key = ApiKey.objects.select_related("owner").filter(prefix=prefix).first()
    if key is None:
        raise NotFoundError("No API key has this prefix; apikey_list shows them.")
    return key


def owner_named(username: str) -> User:
    owner = User.objects.filter(name_key=names.key(username)).first()
    if owner is None:
        raise NotFoundError(f"No user is named {username!r}.")
    return owner


def _checked(field: Field[Any, Any], value: Any) -> Any:
    """By the model's own rules, which the admin's form applies too."""
    try:
        return field.clean(value, None)
    except ValidationError as error:
        raise InvalidInputError(field.name, " ".join(error.messages)) from error


def _note_use(key: ApiKey) -> None:
    now = clock.now()
    stale = now - LAST_USE_PRECISION
    if key.last_used_at is not None and key.last_used_at > stale:
        return
    # Conditional: of many parallel requests one writes.
    ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lte=stale), pk=key.pk).update(
        last_used_at=now
    )
    key.last_used_at = now
