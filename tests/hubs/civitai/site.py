"""CivitAI as an origin: its paths, its errors, its lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from tests.hubs.accounts import Accounts
from tests.hubs.cdn import Storage
from tests.hubs.civitai import descriptions, downloads
from tests.hubs.civitai.catalogue import Model, Version
from tests.hubs.messages import Refused, Request, Response, as_json, html, text

MEMBER = "civitai-member-of-the-tests"
LARGEST_ID = 2**31 - 1


class CivitAI:
    """`token` belongs to an account that may download what asks for a login."""

    name = "civitai"

    def __init__(
        self, base: Callable[[], str], storage: Storage, guard: Callable[[str], None]
    ) -> None:
        self._base = base
        self.storage = storage
        self.accounts = Accounts(guard)
        self.token = self.accounts.add(MEMBER, "member")
        self._models: dict[int, Model] = {}

    @property
    def endpoint(self) -> str:
        return self._base()

    # Setting up

    def add(
        self, model_id: int, versions: Iterable[Version], *, name: str = "A model", **facts: Any
    ) -> Model:
        """A model, in place of one with the same id. `facts` are fields of Model: type, mode…"""
        numbered = tuple(version.numbered() for version in versions)
        self._models[model_id] = Model(model_id, name, numbered, **facts)
        return self._models[model_id]

    def remove(self, model_id: int) -> None:
        del self._models[model_id]

    def __getitem__(self, model_id: int) -> Model:
        return self._models[model_id]

    # Answering

    def subject(self, request: Request) -> str:
        found = self._download(request)
        file = downloads.chosen(request, found[1]) if found else None
        return downloads.subject(*found, file) if found and file else ""

    def delivers(self, request: Request) -> bool:
        return False

    def answer(self, request: Request) -> Response:
        match request.segments:
            case ("api", "download", "models", _):
                return self._hand_out(request)
            case ("api", "v1", *rest):
                return self._api(request, rest)
            case ("models", *_) | ("login",):
                return html("<!doctype html><html><title>Civitai</title></html>")
        return text("not found", 404)

    def _api(self, request: Request, rest: list[str]) -> Response:  # noqa: PLR0911  one a route
        if request.method not in ("GET", "HEAD"):
            return text("", 405, allow="GET, HEAD")
        match rest:
            case ["me"]:
                return self._me(request)
            case ["models"]:
                return self._search(request)
            case ["models", number]:
                return self._model(number)
            case ["model-versions", "by-hash", digest]:
                return self._by_hash(digest)
            case ["model-versions", number]:
                return self._version(number)
        return as_json({"error": "Not found"}, 404)

    def _model(self, text_: str) -> Response:
        number = _number(text_)
        model = self._models.get(number)
        if model is None or model.mode == "TakenDown":
            raise Refused(as_json({"error": f"No model with id {number}"}, 404))
        return as_json(descriptions.model(model, self._base()))

    def _version(self, text_: str) -> Response:
        found = self._find(_number(text_))
        if found is None:
            raise Refused(as_json({"error": f"No version with id {text_}"}, 404))
        return as_json(descriptions.version(*found, self._base()))

    def _by_hash(self, digest: str) -> Response:
        for model, version in self._all():
            hashes = [value for file in version.files for value in file.published_hashes.values()]
            if digest.upper() in hashes:
                return as_json(descriptions.version(model, version, self._base()))
        return as_json({"error": "Model not found"}, 404)

    def _search(self, request: Request) -> Response:
        words, page = request.query("query").lower(), request.query("page")
        if words and page:
            message = "Cannot use page param with query search. Use cursor-based pagination."
            raise Refused(as_json({"error": message}, 400))
        found = [model for _, model in sorted(self._models.items()) if _fits(model, request, words)]
        limit = _number(request.query("limit") or "100", largest=100)
        start = _number(request.query("cursor") or str((int(page or 1) - 1) * limit))
        left = found[start:]
        about: dict[str, object] = {"pageSize": limit}
        if len(left) > limit:
            about |= self._next_page(request, start + limit)
        items = [descriptions.model(model, self._base()) for model in left[:limit]]
        return as_json({"items": items, "metadata": about})

    def _next_page(self, request: Request, cursor: int) -> dict[str, object]:
        kept = {name: request.query(name) for name in request.queries if name != "page"}
        query = urlencode({**kept, "cursor": cursor})
        return {"nextCursor": str(cursor), "nextPage": f"{self._base()}/api/v1/models?{query}"}

    # Downloads

    def _hand_out(self, request: Request) -> Response:
        if request.method != "GET":
            return text("", 405, allow="GET")
        found = self._download(request)
        if found is None:
            raise Refused(as_json({"error": "Model not found"}, 404))
        return downloads.download(self.storage, request, *found, self._account(request))

    def _download(self, request: Request) -> tuple[Model, Version] | None:
        match request.segments:
            case ("api", "download", "models", number) if number.isdecimal():
                return self._find(int(number))
        return None

    def _me(self, request: Request) -> Response:
        account = self._account(request)
        if account is None:
            raise Refused(as_json({"error": "Unauthorized"}, 401))
        return as_json({"id": 1, "username": account, "tier": "free", "status": "active"})

    def _account(self, request: Request) -> str | None:
        """A token that is not known is as good as none."""
        return self.accounts.name(request.bearer or request.query("token"))

    def _find(self, version_id: int) -> tuple[Model, Version] | None:
        return next((found for found in self._all() if found[1].id == version_id), None)

    def _all(self) -> Iterable[tuple[Model, Version]]:
        return ((model, version) for model in self._models.values() for version in model.versions)


def _fits(model: Model, request: Request, words: str) -> bool:
    types = request.queries.get("types", [])
    named = request.query("username") in ("", model.creator)
    return words in model.name.lower() and named and (not types or model.type in types)


def _number(words: str, *, largest: int = LARGEST_ID) -> int:
    """As the database behind it takes it."""
    if not words.isdecimal() or int(words) > largest:
        issue = {"code": "invalid_type", "message": f"Expected number, received {words[:40]!r}"}
        raise Refused(as_json({"error": {"name": "ZodError", "issues": [issue]}}, 400))
    return int(words)
