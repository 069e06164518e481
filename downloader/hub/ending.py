"""How a job of the hub ends when it cannot go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from downloader import failures
from downloader.hub.errors import HubError
from downloader.library.errors import DownloadError
from jobs.errors import AttemptFailed


@contextmanager
def the_attempt() -> Iterator[None]:
    """What is raised within ends the attempt, in the words that the engine knows. Its cause stays
    with it: who waits for the job is told that."""
    try:
        yield
    except HubError as error:
        raise AttemptFailed("invalid_input", error.message) from error
    except DownloadError as error:
        raise failures.attempt_failed(error) from error
