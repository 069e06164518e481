"""When two user names are the same name."""

from __future__ import annotations

import unicodedata

# Casefolding makes at most three characters of one.
KEY_LENGTH = 450


def key(username: str) -> str:
    """What all spellings of one name share: in upper or lower case, composed, full width."""
    folded = unicodedata.normalize("NFKC", username).casefold()
    return unicodedata.normalize("NFKC", folded)
