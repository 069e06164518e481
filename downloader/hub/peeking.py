"""Looking into one file without downloading it: what it is, its JSON, or the header of its tensors.

Of a file that is here the blob is read; of another one as many bytes as the look needs.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

from downloader import configured
from downloader.hub import asking, recalling
from downloader.hub.browsing import FROM_HUB, FROM_MIRROR
from downloader.hub.recalling import Place
from downloader.library import safetensors
from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    InvalidFile,
    NotFound,
    ProtocolViolation,
    Throttled,
    Unreachable,
)
from downloader.library.http import AGAIN, Broken, Client, Response, waiting
from downloader.library.refs import Ref
from downloader.library.remote import Location, RemoteFile, Resolved
from downloader.library.sources.filetypes import format_of, type_of
from downloader.library.sources.huggingface import HuggingFace

MOST_JSON_BYTES = 1 << 20
MOST_HEADER_BYTES = 16 << 20
FIRST_BYTES = 64 << 10  # the header of most files, and its length
TRIES = 2
MOST_METADATA = 100
LONGEST_VALUE = 1000
SHA256 = re.compile(r"[0-9a-f]{64}")
LENGTH = safetensors.LENGTH_BYTES


@dataclass(frozen=True)
class Facts:
    size: int | None
    commit: str | None
    sha256: str | None


class Reader(Protocol):
    def facts(self) -> Facts: ...

    def head(self, count: int) -> bytes:
        """The first `count` bytes, or all when there are fewer."""


def file(at: Place) -> dict[str, Any]:
    """What the file is, with its `json` or the summary of its `safetensors` header; `problem` says
    why its content is not shown."""
    here = _here(at)
    if here is not None:
        return _looked_into(at, here, FROM_MIRROR)
    return asking.ask(
        lambda source, client, limit: _looked_into(at, Remote(at, source, client, limit), FROM_HUB)
    )


def _looked_into(at: Place, reader: Reader, source: str) -> dict[str, Any]:
    # Content first: to a reader of the hub, one request tells the facts as well.
    content = _content(at.path, reader)
    facts = reader.facts()
    is_here = facts.sha256 is not None and configured.store().has(facts.sha256, facts.size)
    return {
        "path": at.path,
        "size_bytes": facts.size,
        "kind": type_of(at.path),
        "format": format_of(at.path),
        "sha256": facts.sha256,
        "local": is_here,
        "commit": facts.commit,
        "source": source,
        "json": None,
        "safetensors": None,
        "problem": None,
        **content,
    }


def _content(path: str, reader: Reader) -> dict[str, Any]:
    name = path.casefold()
    try:
        if name.endswith(".json"):
            return {"json": _parsed(reader)}
        if name.endswith(".safetensors"):
            return {"safetensors": _header(reader)}
    except InvalidFile as invalid:
        return {"problem": invalid.message}
    reader.head(0)
    return {}


def _parsed(reader: Reader) -> Any:
    body = reader.head(MOST_JSON_BYTES + 1)
    if len(body) > MOST_JSON_BYTES:
        raise InvalidFile(f"It has more than the {MOST_JSON_BYTES} bytes of JSON that are read.")
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_constant=lambda _word: None)
    except (ValueError, RecursionError):
        raise InvalidFile("It is not JSON.") from None


def _header(reader: Reader) -> dict[str, Any]:
    start = reader.head(FIRST_BYTES)
    length = int.from_bytes(start[:LENGTH], "little")
    if length > MOST_HEADER_BYTES:
        raise InvalidFile(f"Its header has {length} bytes; at most {MOST_HEADER_BYTES} are read.")
    if len(start) < length + LENGTH:
        start = reader.head(length + LENGTH)
    size = reader.facts().size
    if size is None:
        raise InvalidFile("The hub does not say how large it is.")
    return _summary(safetensors.read_header(io.BytesIO(start), size), length)


def _summary(header: safetensors.Header, length: int) -> dict[str, Any]:
    parameters: Counter[str] = Counter()
    for tensor in header.tensors.values():
        parameters[tensor.dtype] += _count(tensor.shape)
    shown = list(header.metadata.items())[:MOST_METADATA]
    return {
        "tensor_count": len(header.tensors),
        "parameter_count": sum(parameters.values()),
        "dtypes": dict(parameters),
        "header_bytes": length,
        "metadata": {key[:LONGEST_VALUE]: value[:LONGEST_VALUE] for key, value in shown},
    }


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


# A file that is here


@dataclass(frozen=True)
class Here:
    """A blob of the store, shown at a commit."""

    sha256: str
    size: int
    commit: str

    def facts(self) -> Facts:
        return Facts(self.size, self.commit, self.sha256)

    def head(self, count: int) -> bytes:
        if not count:
            return b""
        try:
            with configured.store().blob(self.sha256).open("rb") as blob:
                return blob.read(count)
        except OSError as error:
            raise NotFound("The file was here a moment ago, and cannot be read.") from error


def _here(at: Place) -> Here | None:
    known = recalling.known(at)
    if known is None:
        return None
    _repo, snapshot = known
    row = snapshot.files.filter(path=at.path).first()
    if row is None or not row.is_here or not configured.store().has(row.sha256, row.size_bytes):
        return None
    return Here(row.sha256, row.size_bytes or 0, snapshot.commit)


# A file of the hub


class Remote:
    """Asks for the first bytes of a file; remembers what the answers said of it."""

    def __init__(
        self, at: Place, source: HuggingFace, client: Client, limit: asking.Deadline
    ) -> None:
        self._at = at
        self._client = client
        self._limit = limit
        self._location = _location(source, at)
        self._facts: Facts | None = None

    def facts(self) -> Facts:
        if self._facts is None:
            self.head(0)
        return self._facts or Facts(None, None, None)

    def head(self, count: int) -> bytes:
        read = partial(self._once, count)
        for _ in range(TRIES - 1):
            try:
                return read()
            except Broken:
                self._limit.check()
        return read()

    def _once(self, count: int) -> bytes:
        span = (0, max(count, 1) - 1)
        response = self._client.open(self._location, span=span, tick=self._limit.check)
        try:
            self._facts = _facts(response)
            if response.status == 416:
                return b""  # an empty file has no first byte
            if response.status not in (200, 206):
                raise _refusal(response, self._at)
            return _first(response, count)
        finally:
            response.close()


def _location(source: HuggingFace, at: Place) -> Location:
    """By the revision as it was asked for: the answer says which commit that is."""
    resolved = Resolved(
        ref=Ref(source.scheme, at.full_name, at.revision),
        source_uri="",
        repo_id=at.full_name,
        author=at.author,
        title=at.full_name,
        commit=quote(at.revision, safe=""),
        files=(),
        name=at.repo,
        version="",
    )
    return source.locate(resolved, RemoteFile(at.path, at.path))


def _first(response: Response, count: int) -> bytes:
    """A server that knows no ranges sends all of it: the rest is not read."""
    body, view = bytearray(), memoryview(bytearray(FIRST_BYTES))
    while len(body) < count and (got := response.read_into(view[: count - len(body)])):
        body += view[:got]
    return bytes(body)


def _facts(response: Response) -> Facts:
    said = _said(response)
    linked = said.get("x-linked-etag", "").strip('W/"')
    return Facts(
        size=_size(response, said),
        commit=said.get("x-repo-commit"),
        sha256=linked.lower() if SHA256.fullmatch(linked.lower()) else None,
    )


def _said(response: Response) -> dict[str, str]:
    """The hub's own headers are on its redirects, which may come before a storage's."""
    found: dict[str, str] = {}
    headers: list[Mapping[str, str]] = [hop.headers for hop in response.hops]
    for said in (*headers, response.headers):
        for name in ("x-linked-etag", "x-linked-size", "x-repo-commit"):
            if name in said:
                found.setdefault(name, said[name])
    return found


def _size(response: Response, said: Mapping[str, str]) -> int | None:
    total = response.headers.get("content-range", "").rpartition("/")[2]
    for text in (said.get("x-linked-size", ""), total):
        if re.fullmatch(r"[0-9]{1,18}", text):
            return int(text)
    return response.length if response.status == 200 else None


def _refusal(response: Response, at: Place) -> DownloadError:
    status, said = response.status, _error_code(response)
    what = f"{at.full_name} at {at.revision}"
    if status == 403 or (status == 401 and said == "GatedRepo"):
        return AccessNeeded(f"{what} does not give out its files: ask for access on its page.")
    if status == 401:
        return AccessNeeded(f"{what} is private, or not there. Check the name, or set HF_TOKEN.")
    if status == 404:
        return NotFound(f"{what} has no file {at.path[:200]!r}.")
    if status == 429:
        wait_s = waiting.asked_for_s(response.headers) or float(asking.COME_BACK_S)
        return Throttled("The hub takes no more requests just now.", retry_after_s=wait_s)
    kind = Unreachable if status in AGAIN else ProtocolViolation
    return kind(f"The hub answered {status} for {at.path[:200]!r}.", details={"status": status})


def _error_code(response: Response) -> str:
    return str(response.headers.get("x-error-code", ""))
