"""Seeds: what an image can be made again from."""

from __future__ import annotations

import secrets

# The largest integer that JSON readers agree on.
LARGEST = 2**53 - 1


def fresh() -> int:
    """A seed nobody can guess or has used before, as far as chance goes."""
    return secrets.randbelow(LARGEST + 1)


def incremented(first: int, index: int) -> int:
    """The seed of item `index` in a batch that counts up; after the largest comes 0."""
    return (first + index) % (LARGEST + 1)
