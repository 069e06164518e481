"""One file from anywhere on the public web: `https://host/path/file.safetensors`.

What a stranger may name must not lead into this network: every connection, of each redirect too, is
checked against the very address it is made to. `allow_private` lifts that, and allows http as well.
"""

from __future__ import annotations

import hashlib
import re
import weakref
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import ClassVar
from urllib.parse import unquote, urlsplit, urlunsplit

from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    InvalidFile,
    InvalidRef,
    NotFound,
    ProtocolViolation,
    Throttled,
    Unreachable,
)
from downloader.library.http import AGAIN, Broken, Client, Response, public_only, waiting
from downloader.library.refs import Ref
from downloader.library.remote import Location, RemoteFile, Resolved
from downloader.library.safety import file_name_from
from downloader.library.sources.base import Source
from downloader.library.sources.describing import describe
from downloader.library.sources.filetypes import format_of, type_of
from downloader.library.transfer import Engine, Fetched, Target
from downloader.library.watch import Control, Observer
from registry.descriptors import Descriptor

VERSION_LENGTH = 12
FIRST_BYTE = (0, 0)
NOTHING_THERE = 416  # the answer to a range of an empty file
UNSAID_WAIT_S = 60.0
TRUE = frozenset({"1", "true", "yes", "on"})
_TOTAL = re.compile(r"bytes (?:\d+-\d+|\*)/(\d{1,18})")


@dataclass(frozen=True)
class Seen:
    """What a server says about a file before it is fetched."""

    name: str
    size: int | None
    etag: str | None
    modified: str


class WebFile(Source):
    """Settings: `allow_private` (`true`: also addresses of this network, and http)."""

    scheme: ClassVar[str] = "https"
    label: ClassVar[str] = "Web address"

    def __init__(self, client: Client, settings: Mapping[str, str]) -> None:
        super().__init__(client, settings)
        self._private = settings.get("allow_private", "").strip().lower() in TRUE
        guard = None if self._private else public_only
        self._guarded = Client(replace(client.options, guard=guard))
        weakref.finalize(self, self._guarded.close)

    def resolve(self, ref: Ref, control: Control) -> Resolved:
        self._check_form(ref.target)
        plain = _without_query(ref.target)
        seen = self._look(ref.target, control)
        commit = _fingerprint(plain, seen)
        host = urlsplit(plain).hostname or ""
        return Resolved(
            ref=ref,
            source_uri=plain,
            repo_id=plain,
            author=host,
            title=seen.name,
            commit=commit,
            files=(_file(seen),),
            name=PurePosixPath(seen.name).stem or host,
            version=commit[:VERSION_LENGTH],
            page=plain,
            notes=_notes(plain != ref.target),
        )

    def locate(self, resolved: Resolved, file: RemoteFile) -> Location:
        return Location(resolved.ref.target)

    def fetch(
        self,
        engine: Engine,
        resolved: Resolved,
        targets: Mapping[str, Target],
        control: Control,
        observer: Observer,
    ) -> Mapping[str, Fetched]:
        """The engine's fetch, over connections that are checked."""
        guarded = copy(engine)  # with its cap on the rate, and whoever listens to it
        guarded.client = self._guarded
        return super().fetch(guarded, resolved, targets, control, observer)

    def to_model_descriptor(self, resolved: Resolved) -> Descriptor:
        return describe(resolved, source="https")

    def _check_form(self, url: str) -> None:
        """Messages do not repeat the address: it may hold a password or a signature."""
        try:
            parts = urlsplit(url)
            named = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise InvalidRef("The address cannot be read: its host or port is wrong.") from None
        if parts.username is not None or parts.password is not None:
            raise InvalidRef("An address with a user or a password in it is refused.")
        if parts.scheme != "https" and not (parts.scheme == "http" and self._private):
            raise InvalidRef("Only https addresses are fetched.")
        if not named:
            raise InvalidRef("The address names no host: it is https://host/path/file.")

    def _look(self, url: str, control: Control) -> Seen:
        """Ask for one byte. Some servers know no HEAD, and what they say to it is not binding."""
        attempts, failures = self._guarded.options.attempts, 0
        while True:
            failures += 1
            try:
                response = self._guarded.open(Location(url), span=FIRST_BYTE, tick=control.check)
            except Broken:
                if failures >= attempts:
                    raise
            else:
                try:
                    if response.status not in AGAIN or failures >= attempts:
                        return _seen(response, url)
                finally:
                    response.close()
            control.sleep(waiting.backoff_s(failures))


def _seen(response: Response, url: str) -> Seen:
    headers = response.headers
    shown = _without_query(url)
    if response.status not in (200, 206, NOTHING_THERE):
        raise _failure(response, shown)
    if "html" in headers.get("content-type", "").lower():
        raise InvalidFile(
            f"{shown} is a web page, not a file. Copy the address of the download itself."
        )
    etag = headers.get("etag")
    return Seen(
        name=_name(headers.get("content-disposition"), shown),
        size=_size(response),
        etag=etag if etag and not etag.startswith("W/") else None,
        modified=headers.get("last-modified", ""),
    )


def _size(response: Response) -> int | None:
    """The whole file's, from whichever header holds it."""
    if response.status == 200:
        return response.length
    total = _TOTAL.fullmatch(response.headers.get("content-range", "").strip())
    return int(total[1]) if total else None


def _name(disposition: str | None, url: str) -> str:
    announced = file_name_from(disposition) if disposition else None
    return announced or unquote(urlsplit(url).path.rpartition("/")[2]) or "file"


def _failure(response: Response, shown: str) -> DownloadError:
    status = response.status
    if status in (401, 402, 403, 407):
        return AccessNeeded(
            f"{shown} is not open to everybody ({status}), and no password is sent to it.",
            visit=shown,
        )
    if status in (404, 410):
        return NotFound(f"There is no file at {shown}.")
    if status == 429:
        wait_s = waiting.asked_for_s(response.headers) or UNSAID_WAIT_S
        return Throttled(
            f"{shown} takes no more requests for {wait_s:.0f} s. Try again then.",
            retry_after_s=wait_s,
        )
    kind = Unreachable if status >= 500 else ProtocolViolation
    return kind(f"{shown} answered {status}.", details={"status": status})


def _without_query(url: str) -> str:
    """What may be shown and written down: a query may be a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _fingerprint(url: str, seen: Seen) -> str:
    """Stands for the content as far as the server tells it apart."""
    facts = "\0".join((url, seen.name, str(seen.size), seen.etag or "", seen.modified))
    return hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()


def _file(seen: Seen) -> RemoteFile:
    name = format_of(seen.name)
    return RemoteFile(
        path=seen.name,
        key=seen.name,
        size=seen.size,
        etag=seen.etag,
        type=type_of(seen.name),
        warnings=("A web address publishes no digest: the file is recorded, not verified.",),
        facts={"format": name} if name else {},
    )


def _notes(had_query: bool) -> tuple[str, ...]:
    if not had_query:
        return ()
    return ("The address has a query; it is used now and not written down.",)
