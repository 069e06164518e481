"""The hub's JSON: repositories, revisions, trees with their pages, search, who am I."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from tests.hubs.huggingface import descriptions, refusals
from tests.hubs.huggingface.addresses import Address
from tests.hubs.huggingface.repositories import Repository
from tests.hubs.messages import Request, Response, as_json

if TYPE_CHECKING:
    from tests.hubs.huggingface.site import HuggingFace

SEARCH_PAGE = 1000
TRUE = ("true", "1", "True")


def answer(
    site: HuggingFace, request: Request, repository: Repository, address: Address
) -> Response:
    expected = "POST" if address.verb == "paths-info" else "GET"
    if request.method not in (expected, "HEAD"):
        raise refusals.wrong_method(expected)
    match address.verb:
        case "" | "revision":
            return _info(request, repository, address)
        case "refs":
            wanted = request.query("include_prs") in TRUE
            return as_json(descriptions.refs(repository, pull_requests=wanted))
        case "tree":
            return _tree(site, request, repository, address)
        case "paths-info":
            return _paths_info(request, repository, address)
        case "commits":
            return _commits(repository, address)
    raise refusals.no_page()


def _info(request: Request, repository: Repository, address: Address) -> Response:
    # The whole of what follows is the revision: a bare slash in it does no harm here.
    revision = "/".join(address.rest) or request.query("revision") or "main"
    commit = refusals.commit_of(repository, revision)
    blobs = request.query("blobs") in TRUE
    info = descriptions.info(repository, commit, blobs=blobs)
    wanted = [*request.queries.get("expand", ()), *request.queries.get("expand[]", ())]
    if wanted:
        unknown = [name for name in wanted if name not in info]
        if unknown:
            raise refusals.bad_request(f'"expand" must not contain {unknown[0]!r}')
        info = {name: value for name, value in info.items() if name in ("_id", "id", *wanted)}
    return as_json(info)


# Trees


def _tree(
    site: HuggingFace, request: Request, repository: Repository, address: Address
) -> Response:
    commit = refusals.commit_of(repository, address.revision or "main")
    if address.path and not commit.below(address.path, recursive=True):
        raise refusals.no_entry(commit.sha)
    expand = request.query("expand") in TRUE
    paths = commit.below(address.path, recursive=request.query("recursive") in TRUE)
    at_most = site.expanded_page_size if expand else site.page_size
    page, cursor = _page(paths, request, at_most)
    lines = [descriptions.entry(repository, commit, path, expand=expand) for path in page]
    return as_json(lines, x_repo_commit=commit.sha).having(link=_link(site, request, cursor))


def _page(items: Sequence[str], request: Request, at_most: int) -> tuple[Sequence[str], str | None]:
    """The items behind the cursor of the request, and the cursor of the next page."""
    after = _decode(request.query("cursor")) if request.query("cursor") else None
    left = [item for item in items if after is None or item > after]
    size = min(at_most, int(request.query("limit") or at_most))
    page = left[:size]
    return page, _encode(page[-1]) if len(left) > size else None


def _encode(last: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"file_name": last}).encode()).decode()


def _decode(cursor: str) -> str:
    try:
        return str(json.loads(base64.urlsafe_b64decode(cursor))["file_name"])
    except (ValueError, KeyError, TypeError):
        raise refusals.bad_request("Invalid cursor") from None


def _link(site: HuggingFace, request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    kept = {name: values for name, values in request.queries.items() if name != "cursor"}
    query = urlencode({**kept, "cursor": [cursor]}, doseq=True)
    return f'<{site.endpoint}{request.raw_path}?{query}>; rel="next"'


def _paths_info(request: Request, repository: Repository, address: Address) -> Response:
    commit = refusals.commit_of(repository, "/".join(address.rest) or "main")
    paths, expand = _asked_paths(request)
    known = set(commit.paths)
    lines = [
        descriptions.entry(repository, commit, path, expand=expand)
        for path in (path.strip("/") for path in paths)
        if path in known
    ]
    return as_json(lines, x_repo_commit=commit.sha)


def _asked_paths(request: Request) -> tuple[list[str], bool]:
    if "json" in (request.header("content-type") or ""):
        body = json.loads(request.body)
        return list(body["paths"]), bool(body.get("expand"))
    form = parse_qs(request.body.decode())
    return form.get("paths", []), form.get("expand", [""])[-1] in TRUE


def _commits(repository: Repository, address: Address) -> Response:
    history: list[dict[str, object]] = []
    sha: str | None = refusals.commit_of(repository, "/".join(address.rest) or "main").sha
    while sha:
        commit = repository.commits[sha]
        authors = [{"user": repository.author}]
        line = {"id": sha, "title": commit.title, "message": "", "date": commit.date}
        history.append({**line, "authors": authors})
        sha = commit.parent
    return as_json(history, x_total_count=str(len(history)))


# Not about one repository


def whoami(account: str | None) -> Response:
    if account is None:
        raise refusals.no_login()
    key = {"displayName": "tests", "role": "read", "createdAt": "2025-01-01T00:00:00.000Z"}
    return as_json(
        {
            "type": "user",
            "id": f"id-of-{account}",
            "name": account,
            "fullname": account.title(),
            "isPro": False,
            "orgs": [],
            "auth": {"type": "access_token", "accessToken": key},
        }
    )


def search(site: HuggingFace, request: Request, account: str | None) -> Response:
    words, author = request.query("search").lower(), request.query("author")
    found = {
        repository.id: repository
        for repository in site.repositories
        if words in repository.id.lower()
        and (not author or repository.author == author)
        and (not repository.private or account in repository.readers)
    }
    page, cursor = _page(sorted(found), request, SEARCH_PAGE)
    lines = [descriptions.summary(found[name]) for name in page]
    return as_json(lines).having(link=_link(site, request, cursor))
