"""Who signs the bundles that leave this machine, and whose bundles it takes.

Its own key follows from the installation's secret key, so there is no file to lose or to leak;
another secret key is another signer. The others are named by an operator, and kept in a file.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.utils.crypto import salted_hmac

from downloader.hub.errors import Contradiction, HubError
from downloader.hub.models import Repo
from downloader.library.bundles.signing import KEY_ID, Key
from downloader.library.errors import InvalidFile
from registry import auditing

log = structlog.get_logger(__name__)

PLACE = "Signers of bundles"
SALT = "downloader.hub.bundling"
TRUSTED_BYTES = 1 << 20


def own_key() -> Key:
    return Key(salted_hmac(SALT, "ed25519 seed", algorithm=hashlib.sha256().name).digest())


def trusted() -> frozenset[str]:
    """The ids of keys whose bundles are taken: our own, and those an operator has named."""
    return frozenset({own_key().id, *_remembered()})


def trust(key_id: str, *, by: Any = None) -> None:
    """From now on. Contradiction for what is no key's id."""
    if not KEY_ID.fullmatch(key_id):
        told = "The id of a key has 32 hexadecimal digits; `hub_export --key` prints it."
        raise Contradiction(told)
    known = {*_remembered(), key_id}
    path = Path(settings.TRUSTED_BUNDLE_KEYS)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(sorted(known)) + "\n", encoding="ascii")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise HubError(f"The key cannot be kept in {path}: {error.strerror}.") from error
    log.warning("bundle_key_trusted", key_id=key_id)
    told = auditing.facts({"key": key_id})
    auditing.note_place(Repo, PLACE, by, auditing.sentence("trusted", told))


def _remembered() -> list[str]:
    path = Path(settings.TRUSTED_BUNDLE_KEYS)
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(TRUSTED_BYTES))
        return [str(key_id) for key_id in found if KEY_ID.fullmatch(str(key_id))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}. Remove it and trust again.") from error
