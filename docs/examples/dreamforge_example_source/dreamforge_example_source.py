"""Models from a web server that lists its files, as a source for Dream Forge.

`index:<model>@<version>` means the files named in `<endpoint>/<model>/<version>/index.json`:

    {"title": "Tiny", "licence": "mit", "kind": "lora",
     "files": [{"path": "tiny.safetensors", "size": 1234, "sha256": "…"}]}

EXAMPLE_INDEX_ENDPOINT and, if the server asks for one, EXAMPLE_INDEX_TOKEN configure it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from downloader.library.checksums import Digest
from downloader.library.errors import AccessNeeded, InvalidRef, NotFound, ProtocolViolation, Refused
from downloader.library.http import Answer, Client, StatusError
from downloader.library.refs import Ref
from downloader.library.sources.base import Location, RemoteFile, Resolved, Source
from downloader.library.sources.describing import describe
from downloader.library.sources.filetypes import type_of
from downloader.library.watch import Control
from registry.descriptors import Descriptor


class IndexedFolder(Source):
    scheme: ClassVar[str] = "index"
    label: ClassVar[str] = "Indexed folder"

    def __init__(self, client: Client, settings: Mapping[str, str]) -> None:
        super().__init__(client, settings)
        self.endpoint = os.environ.get("EXAMPLE_INDEX_ENDPOINT", "").rstrip("/")
        self.token = os.environ.get("EXAMPLE_INDEX_TOKEN", "")
        if not self.endpoint:
            raise Refused("Set EXAMPLE_INDEX_ENDPOINT to the address of the server.")

    def resolve(self, ref: Ref, control: Control) -> Resolved:
        if not ref.revision:
            raise InvalidRef("Name a version: index:<model>@<version>")
        page = f"{self.endpoint}/{quote(ref.target, safe='')}/{quote(ref.revision, safe='')}"
        answer = self.client.get(self._location(f"{page}/index.json"), control=control)
        index = self._read(answer, ref)
        return Resolved(
            ref=ref,
            source_uri=str(ref),
            repo_id=ref.target,
            author="",
            title=str(index.get("title", ref.target)),
            commit=hashlib.sha256(answer.body).hexdigest(),  # another list is another commit
            files=tuple(_file(line) for line in index["files"]),
            name=ref.target,
            version=ref.revision,
            kind_hint=index.get("kind"),
            licence=index.get("licence"),
            page=page,
        )

    def locate(self, resolved: Resolved, file: RemoteFile) -> Location:
        return self._location(f"{resolved.page}/{quote(file.key)}")

    def to_model_descriptor(self, resolved: Resolved) -> Descriptor:
        return describe(resolved, source="index", repo=resolved.repo_id)

    def _location(self, url: str) -> Location:
        # The token is sent to this origin only, whatever redirects follow.
        return Location(url, authorization=f"Bearer {self.token}" if self.token else None)

    def _read(self, answer: Answer, ref: Ref) -> dict[str, Any]:
        if answer.status in (401, 403):
            raise AccessNeeded(f"{self.endpoint} asks for a token: set EXAMPLE_INDEX_TOKEN.")
        if answer.status == 404:
            raise NotFound(f"{self.endpoint} has no {ref.target} in version {ref.revision}.")
        if answer.status != 200:
            raise StatusError(answer)
        try:
            return _checked(json.loads(answer.body))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ProtocolViolation(f"{answer.shown} is not the index of a model.") from None


def _checked(index: Any) -> dict[str, Any]:
    """The index, or an error of any kind: it comes from outside."""
    for line in index["files"]:
        if not isinstance(line["path"], str) or not isinstance(line["size"], int):
            raise TypeError("path and size")
        Digest("sha256", line["sha256"])
    return dict(index)


def _file(line: Mapping[str, Any]) -> RemoteFile:
    path = line["path"]
    return RemoteFile(
        path,
        key=path,
        size=line["size"],
        digest=Digest("sha256", line["sha256"]),
        type=type_of(path),
    )
