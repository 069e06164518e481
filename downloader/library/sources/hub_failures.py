"""What huggingface_hub raises, as our errors.

Nothing of its texts goes into ours: they quote addresses and the server's words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from downloader.library import errors
from downloader.library.http import waiting

# What may come out of a call of the library; anything else is a fault of ours and stays one. The
# built-in ones are how it meets JSON of another shape than it knows.
FOREIGN = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
UNSAID_WAIT_S = 60.0


@dataclass(frozen=True)
class Asked:
    """What was asked for: the facts of a message."""

    endpoint: str
    repo_id: str
    revision: str | None
    path: str
    has_token: bool

    @property
    def page(self) -> str:
        return f"{self.endpoint}/{self.repo_id}"

    @property
    def tokens_page(self) -> str:
        return f"{self.endpoint}/settings/tokens"


def translated(error: BaseException, asked: Asked) -> errors.DownloadError:
    if isinstance(error, HfHubHTTPError):
        return _answered(error, asked)
    return errors.ProtocolViolation(
        f"{asked.endpoint} did not answer as a Hugging Face hub does; check HF_ENDPOINT."
    )


def _answered(error: HfHubHTTPError, asked: Asked) -> errors.DownloadError:
    if isinstance(error, GatedRepoError):
        return gated(asked)
    if isinstance(error, DisabledRepoError):
        return errors.AccessNeeded(f"The hub has disabled {asked.repo_id}.", visit=asked.page)
    if isinstance(error, RevisionNotFoundError):
        return errors.NotFound(
            f"{asked.repo_id} has no revision {asked.revision!r}. Look at its branches and tags.",
            visit=asked.page,
        )
    if isinstance(error, RemoteEntryNotFoundError):
        return errors.NotFound(
            f"{asked.repo_id} has no {asked.path!r} at {asked.revision!r}.", visit=asked.page
        )
    if isinstance(error, RepositoryNotFoundError) and error.response.status_code != 401:
        return _absent(asked)
    return _by_status(error.response, asked)


def _by_status(response: httpx2.Response, asked: Asked) -> errors.DownloadError:
    status = response.status_code
    if status == 401:
        return _unknown_caller(asked)
    if status == 403:
        return errors.AccessNeeded(
            f"{asked.repo_id} may not be read with this token. Let the token read this repository, "
            "and gated repositories if it is one.",
            visit=asked.tokens_page,
        )
    if status in (404, 410):
        return _absent(asked)
    if status == 429:
        return _throttled(response, asked)
    facts: dict[str, Any] = {"details": {"status": status}}
    if status >= 500:
        return errors.Unreachable(
            f"{asked.endpoint} answers {status} for {asked.repo_id}. Try again later.", **facts
        )
    return errors.ProtocolViolation(
        f"{asked.endpoint} answered {status} for {asked.repo_id}; check the reference.", **facts
    )


def gated(asked: Asked) -> errors.AccessNeeded:
    how = "with the account of HF_TOKEN" if asked.has_token else "and set HF_TOKEN"
    return errors.AccessNeeded(
        f"{asked.repo_id} is gated: accept its terms on its page {how}.", visit=asked.page
    )


def _absent(asked: Asked) -> errors.NotFound:
    hidden = "or the token may not see it" if asked.has_token else "or it is private"
    return errors.NotFound(
        f"There is no repository {asked.repo_id} on {asked.endpoint}, {hidden}. "
        "Check the spelling.",
        visit=asked.page,
    )


def _unknown_caller(asked: Asked) -> errors.AccessNeeded:
    """A hub says 401 for what is private, for what is absent, and for a token it does not know."""
    if asked.has_token:
        return errors.AccessNeeded(
            "The hub does not accept the token. Make a new one and set HF_TOKEN.",
            visit=asked.tokens_page,
        )
    return errors.AccessNeeded(
        f"The hub shows {asked.repo_id} to nobody without a token: it is private, or there is no "
        "such repository. Check the spelling, or set HF_TOKEN.",
        visit=asked.page,
    )


def _throttled(response: httpx2.Response, asked: Asked) -> errors.Throttled:
    wait_s = waiting.asked_for_s(response.headers) or UNSAID_WAIT_S
    return errors.Throttled(
        f"{asked.endpoint} takes no more requests for {wait_s:.0f} s. Try again then"
        + ("." if asked.has_token else ", or set HF_TOKEN: it raises the limit."),
        retry_after_s=wait_s,
    )
