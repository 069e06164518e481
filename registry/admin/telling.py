"""What came of an action on several rows, told above the list."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest

AT_ONCE = 500  # rows that one action works on
REFUSALS_TOLD = 5


def tell(request: HttpRequest, count: int, done: str, refusals: Sequence[str]) -> None:
    """`count` were `done`; the others say why not."""
    if count:
        more = f"; at most {AT_ONCE} at once" if count + len(refusals) == AT_ONCE else ""
        messages.success(request, f"{count} {done}{more}.")
    for refusal in refusals[:REFUSALS_TOLD]:
        messages.warning(request, refusal)
    if len(refusals) > REFUSALS_TOLD:
        messages.warning(request, f"{len(refusals) - REFUSALS_TOLD} more likewise.")
