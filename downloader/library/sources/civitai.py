"""CivitAI: `civitai:<model id | slug>[@<version id>][#<file id | pattern | facts>]`.

A bare number is tried as a model, then as a version. The token goes in a header to the endpoint's
own origin, never into an address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    InvalidRef,
    NotFound,
    ProtocolViolation,
)
from downloader.library.http import Client, StatusError
from downloader.library.refs import Ref
from downloader.library.remote import Location, RemoteFile, Resolved
from downloader.library.sources.accounts import told_by
from downloader.library.sources.base import Account, Source
from downloader.library.sources.civitai_failures import refused
from downloader.library.sources.civitai_files import files_of, pinned_selection
from downloader.library.sources.civitai_models import (
    LARGEST_ID,
    Model,
    Unexpected,
    Version,
    kind_of,
    model_of,
    slug_of,
    version_of,
)
from downloader.library.sources.civitai_terms import (
    is_early,
    licence_of,
    metadata_of,
    notes_on,
    until_text,
)
from downloader.library.sources.describing import describe
from downloader.library.sources.endpoints import endpoint_of, token_of
from downloader.library.transfer import Engine, Fetched, Target
from downloader.library.watch import Control, Observer
from registry.descriptors import Descriptor

T = TypeVar("T")

ENDPOINT = "https://civitai.com"
SEARCH_PAGES = 3
SHOWN = 5


class CivitAI(Source):
    """Settings: `endpoint`, `token`."""

    scheme: ClassVar[str] = "civitai"
    label: ClassVar[str] = "CivitAI"

    def __init__(self, client: Client, settings: Mapping[str, str]) -> None:
        super().__init__(client, settings)
        self.endpoint = endpoint_of(settings, ENDPOINT, "DF_CIVITAI_ENDPOINT")
        self.token = token_of(settings, "CIVITAI_TOKEN")

    def account(self, control: Control) -> Account | None:
        """By the address that says who one is; its tokens have no scopes."""
        if not self.token:
            return None
        location = Location(f"{self.endpoint}/api/v1/me", authorization=f"Bearer {self.token}")
        told = told_by(self.client, location, self.label, "CIVITAI_TOKEN", control)
        return Account(str(told.get("username", "")), "full")

    def resolve(self, ref: Ref, control: Control) -> Resolved:
        model, version, notes = self._find(ref, control)
        page = self._page(model.id)
        self._check_access(model, version, page)
        files = files_of(version.files)
        selection = pinned_selection(ref.selection, files, page)
        pinned = replace(ref, target=str(model.id), revision=str(version.id), selection=selection)
        return Resolved(
            ref=pinned,
            source_uri=str(pinned),
            repo_id=str(model.id),
            author=model.author,
            title=f"{model.name} {version.name}".strip(),
            commit=str(version.id),
            files=files,
            name=slug_of(model.name) or f"civitai-{model.id}",
            version=slug_of(version.name) or str(version.id),
            revision=ref.revision,
            kind_hint=kind_of(model.type, version.base_model),
            licence=licence_of(model.licence),
            gated=is_early(version),
            page=page,
            notes=(*notes, *notes_on(version, page)),
            metadata=metadata_of(model, version),
        )

    def locate(self, resolved: Resolved, file: RemoteFile) -> Location:
        version = file.facts.get("version_id", resolved.commit)
        return self._location(f"/api/download/models/{version}", {"fileId": file.key})

    def fetch(
        self,
        engine: Engine,
        resolved: Resolved,
        targets: Mapping[str, Target],
        control: Control,
        observer: Observer,
    ) -> Mapping[str, Fetched]:
        """The engine's fetch; a refusal says what is missing and where to get it."""
        try:
            return super().fetch(engine, resolved, targets, control, observer)
        except (AccessNeeded, NotFound) as refusal:
            if refusal.visit:
                raise
            failure = self._refused(resolved, refusal)
        raise failure

    def to_model_descriptor(self, resolved: Resolved) -> Descriptor:
        return describe(
            resolved, source="civitai", model_id=resolved.repo_id, version_id=resolved.commit
        )

    # Finding the model and the version

    def _find(self, ref: Ref, control: Control) -> tuple[Model, Version, tuple[str, ...]]:
        version_id = _number(ref.revision, "version") if ref.revision else None
        if ref.target and not ref.target.isdecimal():
            model = self._search(ref.target, control)
        elif ref.target and version_id is None:
            return self._model_or_version(_number(ref.target, "model or version"), control)
        elif ref.target:
            model = self._model(_number(ref.target, "model"), control)
        elif version_id is not None:
            version = self._version(version_id, control)
            model = self._model(version.model_id, control)
        else:
            raise InvalidRef("Name a model or a version: civitai:<model id> or civitai:@<id>.")
        version = self._pick(model, version_id, control)
        return model, version, ()

    def _model_or_version(
        self, number: int, control: Control
    ) -> tuple[Model, Version, tuple[str, ...]]:
        try:
            model = self._model(number, control)
        except NotFound:
            version = self._version_or_nothing(number, control)
            model = self._model(version.model_id, control)
            note = f"{number} is a version, of model {model.id}."
            return model, self._pick(model, number, control), (note,)
        version = self._pick(model, None, control)
        return model, version, (f"{number} is a model; its version {version.id} is taken.",)

    def _version_or_nothing(self, number: int, control: Control) -> Version:
        try:
            return self._version(number, control)
        except NotFound:
            pass
        raise NotFound(f"CivitAI has neither a model nor a version {number}.")

    def _pick(self, model: Model, version_id: int | None, control: Control) -> Version:
        """The version asked for, else the newest one that is published."""
        if version_id is None:
            published = [version for version in model.versions if version.published]
            if not published:
                raise _gone(model, self._page(model.id))
            return published[0]
        for version in model.versions:
            if version.id == version_id:
                return version
        version = self._version(version_id, control)
        if version.model_id != model.id:
            raise NotFound(
                f"Version {version_id} is not one of model {model.id} but of {version.model_id}: "
                f"ask for civitai:{version.model_id}@{version_id}",
                visit=self._page(model.id),
            )
        return version

    def _search(self, slug: str, control: Control) -> Model:
        """The one model whose page's address ends in `slug`."""
        wanted, found = slug_of(slug), dict[int, str]()
        cursor: str | None = None
        for _page in range(SEARCH_PAGES):
            asked = {"query": wanted.replace("-", " "), "limit": "100", "nsfw": "true"}
            rows, cursor = _hits(
                self._get("/api/v1/models", control, asked | ({"cursor": cursor} if cursor else {}))
            )
            found |= {identity: name for identity, name in rows if slug_of(name) == wanted}
            if cursor is None:
                break
        if len(found) == 1:
            return self._model(next(iter(found)), control)
        if not found:
            raise NotFound(f"CivitAI has no model whose page is called {slug!r}. Use its id.")
        ids = ", ".join(f"civitai:{identity}" for identity in list(found)[:SHOWN])
        raise InvalidRef(f"{len(found)} models are called {slug!r}. Say which: {ids}")

    # Asking

    def _model(self, identity: int, control: Control) -> Model:
        return self._parsed(model_of, self._get(f"/api/v1/models/{identity}", control))

    def _version(self, identity: int, control: Control) -> Version:
        return self._parsed(version_of, self._get(f"/api/v1/model-versions/{identity}", control))

    def _parsed(self, parse: Callable[[Any], T], data: Any) -> T:
        try:
            return parse(data)
        except Unexpected:
            pass
        raise ProtocolViolation(
            f"{self.endpoint} did not answer as CivitAI does; check DF_CIVITAI_ENDPOINT."
        )

    def _get(self, path: str, control: Control, query: Mapping[str, str] | None = None) -> Any:
        try:
            return self.client.json(self._location(path, query or {}), control=control)
        except StatusError as error:
            failure = refused(error, self.endpoint, has_token=self.token is not None)
        raise failure

    def _location(self, path: str, query: Mapping[str, str]) -> Location:
        tail = f"?{urlencode(query)}" if query else ""
        return Location(
            f"{self.endpoint}{path}{tail}",
            authorization=f"Bearer {self.token}" if self.token else None,
        )

    def _page(self, model_id: int) -> str:
        return f"{self.endpoint}/models/{model_id}"

    # What stands in the way

    def _check_access(self, model: Model, version: Version, page: str) -> None:
        """Raise for what no download can deliver; what a token may open is tried with one."""
        if not version.downloadable:
            raise AccessNeeded(
                f"The author of {model.name!r} lets it be used on CivitAI only, not downloaded.",
                visit=page,
            )
        if not version.files:
            raise _gone(model, page)
        if is_early(version) and not self.token:
            raise self._early(model.name, version, page)

    def _early(self, name: str, version: Version, page: str) -> AccessNeeded:
        until = version.early_access_until or ""
        return AccessNeeded(
            f"Version {version.id} of {name!r} is in early access {until_text(until)}: buy it on "
            "its page and set CIVITAI_TOKEN, or take another version: civitai:<model>@<version>",
            details={"early_access_until": until},
            visit=page,
        )

    def _refused(self, resolved: Resolved, refusal: DownloadError) -> DownloadError:
        """The engine knows a status; what it means is known here."""
        early = resolved.metadata.get("early_access_until")
        if isinstance(refusal, NotFound):
            why = "is listed, but its file is not given out: it is archived, or was just removed"
        elif early:
            why = f"is in early access {until_text(early)}, and this account has not bought it"
        elif self.token:
            why = (
                "is not open to the account of CIVITAI_TOKEN: the token has expired, or the author "
                "has switched downloads off"
            )
        else:
            why = "is given only to those who are logged in: make a token and set CIVITAI_TOKEN"
        return type(refusal)(
            f"{resolved.title} {why}. Look at its page.",
            details=refusal.details,
            visit=resolved.page,
        )


def _number(text: str | None, what: str) -> int:
    """An id as CivitAI can hold it; anything else is refused before it is asked for."""
    digits = text or ""
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        raise InvalidRef(f"{digits[:40]!r} is not a {what} id: it is a number.")
    if not 0 < int(digits) <= LARGEST_ID:
        raise InvalidRef(f"{digits} is not a {what} id: ids go from 1 to {LARGEST_ID}.")
    return int(digits)


def _hits(data: Any) -> tuple[list[tuple[int, str]], str | None]:
    """Ids and names of a page of search results, and the cursor of the next page."""
    try:
        rows = [(int(row["id"]), str(row["name"])) for row in data["items"]]
        following = (data.get("metadata") or {}).get("nextCursor")
    except (KeyError, TypeError, ValueError, AttributeError):
        rows, following = None, None
    if rows is None:
        raise ProtocolViolation("CivitAI's search answered in another form than it does.")
    return rows, str(following) if following else None


def _gone(model: Model, page: str) -> NotFound:
    why = {
        "Archived": "its author has archived it",
        "TakenDown": "it was taken down",
    }.get(model.mode, "it has no published files")
    return NotFound(f"Model {model.id} {model.name!r} cannot be downloaded: {why}.", visit=page)
