"""Who made a bundle: a signature over the very bytes of its manifest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from downloader.library.bundles import ed25519
from downloader.library.errors import InvalidFile, Refused

ALGORITHM = "ed25519"
# What is signed says what it is, so that no signature fits anything else.
CONTEXT = b"dream forge bundle manifest 1\n"
KEY_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Key:
    """An installation's own; the seed is its secret."""

    seed: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        return ed25519.public_key(self.seed)

    @property
    def id(self) -> str:
        return id_of(self.public)

    def signature_of(self, manifest: bytes) -> bytes:
        """The file that lies beside the manifest."""
        signature = ed25519.sign(self.seed, CONTEXT + manifest)
        told = {
            "algorithm": ALGORITHM,
            "key_id": self.id,
            "public_key": self.public.hex(),
            "signature": signature.hex(),
        }
        return json.dumps(told, indent=1).encode() + b"\n"


def id_of(public: bytes) -> str:
    """What people compare: half of the key's SHA-256."""
    return hashlib.sha256(public).hexdigest()[:32]


def check(manifest: bytes, signature: bytes, trusted: Collection[str]) -> str:
    """The id of the key that signed these bytes. InvalidFile when nobody did; Refused when it is
    none of `trusted`, with what to do."""
    public, found = _read(signature)
    if not ed25519.verify(public, CONTEXT + manifest, found):
        raise InvalidFile(
            "The manifest of the bundle is not the one that was signed: it was changed or damaged "
            "on its way. Nothing was imported; copy the bundle again."
        )
    key_id = id_of(public)
    if key_id not in trusted:
        raise Refused(
            f"The bundle is signed by the key {key_id}, which is not trusted here. Compare it with "
            "what `manage.py hub_export --key` says on the machine that made the bundle; if it is "
            f"the same, import again with --trust {key_id}.",
            details={"key_id": key_id},
        )
    return key_id


def _read(signature: bytes) -> tuple[bytes, bytes]:
    try:
        told = json.loads(signature)
        algorithm = told["algorithm"]
        found = bytes.fromhex(told["public_key"]), bytes.fromhex(told["signature"])
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise InvalidFile(
            "The signature of the bundle cannot be read. Nothing was imported; copy the bundle "
            "again."
        ) from error
    if algorithm != ALGORITHM:
        raise InvalidFile(f"The bundle is signed in a way that is not known: {ALGORITHM} is.")
    return found
