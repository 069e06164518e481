"""The library as this installation is configured: built from Django's settings at each use, so that
a test or an operator who changes a setting changes what happens next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from django.conf import settings

from downloader.library import plan, refs
from downloader.library.http import Client, ClientOptions
from downloader.library.plan import Plan
from downloader.library.remote import RemoteFile, Resolved
from downloader.library.safety import Policy
from downloader.library.sources import registered
from downloader.library.sources.base import Source
from downloader.library.store import Store
from downloader.library.transfer import Bucket, Engine, TransferOptions
from downloader.library.watch import Control


@dataclass(frozen=True)
class Wanted:
    """What somebody asked to install; None leaves the choice to the source."""

    ref: str
    kind: str | None = None
    name: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Tools:
    """To be used within `with`: its connections are closed at the end."""

    client: Client
    engine: Engine
    store: Store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()


def store() -> Store:
    return Store(Path(settings.MODELS_ROOT))


def policy() -> Policy:
    return Policy(allow_pickle=settings.DOWNLOAD_ALLOW_PICKLE)


def tools(connections: int | None = None) -> Tools:
    client = Client(ClientOptions())
    options = TransferOptions(
        connections=connections or settings.DOWNLOAD_CONCURRENCY,
        max_rate=settings.DOWNLOAD_MAX_RATE,
    )
    return Tools(client, Engine(client, options, _bucket(options.max_rate)), store())


@cache
def _bucket(rate: int) -> Bucket:
    """One for all downloads of this process: the cap is theirs together."""
    return Bucket(rate)


def parse(text: str) -> refs.Ref:
    """A reference or a pasted page, also one of the hubs that are configured here."""
    endpoints = {
        scheme: facts["endpoint"]
        for scheme, facts in settings.DOWNLOAD_SOURCE_SETTINGS.items()
        if "endpoint" in facts
    }
    return refs.parse(text, schemes=settings.DOWNLOAD_SOURCES, endpoints=endpoints)


def source_for(ref: str, client: Client) -> tuple[Source, refs.Ref]:
    """The source of a reference, or Refused when the operator does not allow it."""
    parsed = parse(ref)
    found = registered.make(
        parsed.scheme,
        client,
        allowed=settings.DOWNLOAD_SOURCES,
        settings=settings.DOWNLOAD_SOURCE_SETTINGS.get(parsed.scheme, {}),
    )
    return found, parsed


def prepare(wanted: Wanted, to: Tools, control: Control) -> tuple[Source, Plan]:
    """What installing would take: nothing is written yet."""
    source, ref = source_for(wanted.ref, to.client)
    resolved: Resolved = source.resolve(ref, control)
    made = plan.make(
        resolved,
        policy=policy(),
        present=present_in(to.store),
        kind=wanted.kind,
        name=wanted.name,
        version=wanted.version,
        patterns=ref.selection,
    )
    return source, made


def present_in(where: Store) -> Callable[[RemoteFile], str | None]:
    """Whether the bytes of a file are here already, as far as its source's digest tells."""

    def present(file: RemoteFile) -> str | None:
        digest = file.digest
        if digest is None or digest.algorithm != "sha256":
            return None
        return digest.value if where.has(digest.value, file.size) else None

    return present
