"""What somebody who looks for a job may have in hand."""

from __future__ import annotations

import uuid
from contextlib import suppress

from django.contrib.auth import get_user_model
from django.db.models import Q

LONGEST_ID = 128


def meaning(term: str) -> Q:
    """A job's id, its owner's name or its request id: whole, so that no look reads every row."""
    term = term.strip()
    if not term:
        return Q()
    name = get_user_model().USERNAME_FIELD
    found = Q(**{f"owner__{name}__iexact": term}) | Q(request_id=term[:LONGEST_ID])
    with suppress(ValueError):
        found |= Q(id=uuid.UUID(term))
    return found
