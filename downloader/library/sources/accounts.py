"""Asking a source whose token it was given."""

from __future__ import annotations

from typing import Any

from downloader.library.errors import AccessNeeded, ProtocolViolation
from downloader.library.http import Client, StatusError
from downloader.library.remote import Location
from downloader.library.watch import Control

REFUSED = (401, 403)


def told_by(
    client: Client, location: Location, label: str, variable: str, control: Control
) -> dict[str, Any]:
    """The JSON object of who the token belongs to; AccessNeeded when it is not taken."""
    failure: AccessNeeded
    try:
        told = client.json(location, control=control)
    except StatusError as error:
        if error.status not in REFUSED:
            raise
        failure = AccessNeeded(f"{label} does not take the token: make a new one for {variable}.")
    else:
        if not isinstance(told, dict):
            raise ProtocolViolation(f"{label} did not say whose token it is.")
        return told
    raise failure
