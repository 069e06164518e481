"""What an image says of itself, signed: an HMAC over the record, which names the picture's digest.

The key is made for one job from a secret that never leaves the service; a record that was changed,
or put into another picture, does not verify.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from runners import image_metadata

FIELD = "signature"


def signed(facts: Mapping[str, Any], key: str) -> dict[str, Any]:
    """`facts` with their signature; without a key, as they are."""
    return {**facts, FIELD: _mac(facts, key)} if key else dict(facts)


def is_genuine(record: Mapping[str, Any], key: str) -> bool:
    """Whether this very record was signed with the key."""
    claimed = record.get(FIELD)
    if not isinstance(claimed, str) or not key:
        return False
    facts = {name: value for name, value in record.items() if name != FIELD}
    return hmac.compare_digest(_mac(facts, key).encode(), claimed.encode("utf-8", "replace"))


def _mac(facts: Mapping[str, Any], key: str) -> str:
    text = image_metadata.record_text(facts).encode("ascii")
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()
