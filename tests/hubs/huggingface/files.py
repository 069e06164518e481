"""Where bytes are asked for: large files go to the storage host, small ones to a cache path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from tests.hubs import cdn, delivery, faults
from tests.hubs.cdn import Storage
from tests.hubs.content import Content, InMemory
from tests.hubs.huggingface import descriptions
from tests.hubs.huggingface.repositories import Commit, Repository
from tests.hubs.messages import Request, Response, redirect


@dataclass(frozen=True)
class StoredFile:
    repository: Repository
    commit: Commit
    path: str
    content: Content

    @property
    def is_lfs(self) -> bool:
        return self.repository.is_lfs(self.path, self.content)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def subject(self) -> str:
        return f"{self.repository.id}/{self.path}"


def resolve(storage: Storage, request: Request, file: StoredFile) -> Response:
    """302 to the storage host for a large file, 307 to a relative address for a small one."""
    if not file.is_lfs:
        return _to_the_cache(request, file)
    sha256 = descriptions.sha256(file.repository, file.path, file.content)
    size = descriptions.size(file.repository, file.path, file.content)
    return redirect(
        302,
        _signed(storage, file),
        x_linked_size=str(size),
        x_linked_etag=f'"{sha256}"',
        x_xet_hash=descriptions.xet_hash(file.content),
        accept_ranges="bytes",
    )


def _signed(storage: Storage, file: StoredFile) -> str:
    place = hashlib.sha256(file.subject.encode("utf-8", "surrogatepass")).hexdigest()
    path = f"/repos/{place[:2]}/{place[2:4]}/{place}/{file.content.sha256}"
    etag = hashlib.sha256(b"storage " + file.content.sha256.encode()).hexdigest()
    storage.put(path, cdn.Stored(file.content, file.subject, etag, file.name))
    return storage.signed(path)


def _to_the_cache(request: Request, file: StoredFile) -> Response:
    etag = descriptions.git_oid(file.repository, file.path, file.content)
    path = quote(f"{file.repository.id}/{file.commit.sha}/{file.path}")
    query = f"{quote(request.path, safe='')}=&etag=%22{etag}%22"
    return redirect(307, f"/api/resolve-cache/models/{path}?{query}")


def cached(storage: Storage, request: Request, file: StoredFile) -> Response:
    """The bytes of a small file; compressed when the client takes that."""
    etag = descriptions.git_oid(file.repository, file.path, file.content)
    response = delivery.deliver(
        request,
        file.content,
        etag,
        compressible=True,
        content_type="text/plain; charset=utf-8",
        content_disposition=cdn.content_disposition("inline", file.name),
    )
    return response.having(etag=f'W/"{etag}"') if response.header("content-encoding") else response


def raw(storage: Storage, request: Request, file: StoredFile) -> Response:
    """What git holds: the pointer of a large file."""
    words = faults.pointer(file.content).encode()
    content = InMemory(words) if file.is_lfs else file.content
    etag = descriptions.git_oid(file.repository, file.path, file.content)
    return delivery.deliver(request, content, etag, content_type="text/plain; charset=utf-8")
