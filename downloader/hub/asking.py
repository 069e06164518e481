"""Asking a source while somebody waits for an answer on the web: bounded in time, and in how many
do it at once, since each holds one of the web's threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from downloader import configured
from downloader.hub.registering import SOURCE
from downloader.library.errors import DownloadError, Throttled, Unreachable
from downloader.library.http import Client, ClientOptions
from downloader.library.sources.huggingface import HuggingFace
from downloader.library.watch import Control

T = TypeVar("T")

LONGEST_S = 20.0
MOST_AT_ONCE = 4
COME_BACK_S = 2
OPTIONS = ClientOptions(
    connect_timeout_s=5.0, read_timeout_s=10.0, max_wait_s=3.0, attempts=3, slowest_bytes_s=256
)
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class TooMany(DownloadError):
    """As many as may ask at once are asking."""

    code = "infra_unavailable"
    retry_after_s = COME_BACK_S


class Overdue(Unreachable):
    """The source did not answer in the time that a person waits."""


class Unhurried(Throttled):
    """The source wants us to wait."""

    code = "rate_limited"


class Deadline(Control):
    """Stops what it controls at a moment."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        super().check()
        if time.monotonic() > self._until:
            raise Overdue(f"The source did not answer within {self._seconds:.0f} s. Try again.")

    def sleep(self, seconds: float) -> None:
        super().sleep(max(0.0, min(seconds, self._until - time.monotonic())))
        self.check()


def ask(work: Callable[[HuggingFace, Client, Deadline], T]) -> T:
    """What `work` finds out of the source. TooMany at once when others hold all the places."""
    if not _places.acquire(blocking=False):
        raise TooMany(f"{MOST_AT_ONCE} other requests are asking the hub; try again in a moment.")
    try:
        with Client(OPTIONS) as client:
            return work(_source(client), client, Deadline(LONGEST_S))
    except Throttled as error:
        raise Unhurried(
            error.message, retry_after_s=error.retry_after_s, details=error.details
        ) from error
    finally:
        _places.release()


def _source(client: Client) -> HuggingFace:
    found, _ = configured.source_for(f"{SOURCE}:any/thing", client)
    if not isinstance(found, HuggingFace):
        raise TypeError(f"{SOURCE}: is {type(found).__name__}, which cannot be browsed")
    return found
