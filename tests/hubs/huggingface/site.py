"""The hub as an origin: who is asking, which repository, which answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tests.hubs.accounts import Accounts
from tests.hubs.cdn import Storage
from tests.hubs.huggingface import addresses, api, files, refusals
from tests.hubs.huggingface.addresses import Address
from tests.hubs.huggingface.quotas import Quotas
from tests.hubs.huggingface.repositories import Files, Repository
from tests.hubs.messages import Refused, Request, Response, html, redirect

READER = "hf_ReaderOfTheTests"
STRANGER = "hf_StrangerOfTheTests"
ANSWERS_ABOUT_FILES = {"resolve": files.resolve, "raw": files.raw, "resolve-cache": files.cached}


class HuggingFace:
    """`token` belongs to the account "reader", whom new repositories let in; `stranger_token` is
    valid, but only for what is public. `page_size`, `expanded_page_size`: lines of a tree page.
    `quotas.limits["api"] = 500` refuses what goes beyond."""

    name = "huggingface"

    def __init__(
        self,
        base: Callable[[], str],
        storage: Storage,
        guard: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._base = base
        self.storage = storage
        self.accounts = Accounts(guard)
        self.token = self.accounts.add(READER, "reader")
        self.stranger_token = self.accounts.add(STRANGER, "stranger")
        self.quotas = Quotas(clock)
        self.page_size = 1000
        self.expanded_page_size = 100
        self._repositories: dict[str, Repository] = {}
        self._moved: dict[str, str] = {}

    @property
    def endpoint(self) -> str:
        return self._base()

    # Setting up

    def add(
        self,
        repo_id: str,
        files: Files | None = None,
        *,
        branches: Mapping[str, Files] | None = None,
        tags: tuple[str, ...] = (),
        **settings: Any,
    ) -> Repository:
        """A repository with one commit on `main`; `branches` start there, with changes; `tags` name
        it. `settings` are fields of Repository: gated, private, readers, card, lfs…"""
        repository = Repository(repo_id, **settings)
        repository.commit(files or {}, title="initial commit")
        for name, changes in (branches or {}).items():
            repository.branch(name, files=changes)
        for tag in tags:
            repository.tag(tag)
        self._repositories[repo_id] = repository
        return repository

    def remove(self, repo_id: str) -> None:
        del self._repositories[repo_id]

    def rename(self, old: str, new: str) -> None:
        """The old id answers 307; it may have one segment, and need not have existed."""
        if old in self._repositories:
            self._repositories[new] = replace(self._repositories.pop(old), id=new)
        self._moved[old] = new

    def __getitem__(self, repo_id: str) -> Repository:
        return self._repositories[repo_id]

    @property
    def repositories(self) -> list[Repository]:
        return [self._repositories[name] for name in sorted(self._repositories)]

    # Answering

    def subject(self, request: Request) -> str:
        address = self._address(request)
        if address is None or address.verb not in (*ANSWERS_ABOUT_FILES, "blob"):
            return ""
        return f"{address.repo}/{address.path}"

    def delivers(self, request: Request) -> bool:
        return request.raw_path.startswith("/api/resolve-cache/")

    def answer(self, request: Request) -> Response:
        account = self._account(request)
        caller = account or "anonymous"
        bucket = "api" if request.segments[0] == "api" else "resolvers"
        refusal = self.quotas.take(bucket, caller)
        response = refusal or self._tried(request, account)
        told = self.quotas.told(response, bucket, caller)
        return told.having(x_request_id=f"Root=1-{request.connection:08x}")

    def _tried(self, request: Request, account: str | None) -> Response:
        try:
            return self._answer(request, account)
        except Refused as refused:
            return refused.response

    def _answer(self, request: Request, account: str | None) -> Response:
        if request.segments == ("api", "whoami-v2"):
            return api.whoami(account)
        if request.segments == ("api", "models"):
            return api.search(self, request, account)
        address = self._address(request)
        if address is None:
            raise refusals.no_page()
        if address.repo in self._moved:
            return self._redirected(request, address)
        repository = self.visible(address.repo, account)
        if address.api and address.verb != "resolve-cache":
            return api.answer(self, request, repository, address)
        if address.verb in ANSWERS_ABOUT_FILES:
            self._let_in(repository, account)
            return self._file(request, repository, address)
        if address.verb in ("", "tree", "blob"):
            return html(f"<!doctype html><html><title>{repository.id}</title></html>")
        raise refusals.no_page()

    def _file(self, request: Request, repository: Repository, address: Address) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise refusals.wrong_method("GET, HEAD")
        commit = refusals.commit_of(repository, address.revision)
        content = commit.files.get(address.path)
        if content is None:
            raise refusals.no_entry(commit.sha)
        answer = ANSWERS_ABOUT_FILES[address.verb]
        stored = files.StoredFile(repository, commit, address.path, content)
        return answer(self.storage, request, stored).having(x_repo_commit=commit.sha)

    def visible(self, repo_id: str, account: str | None) -> Repository:
        """The repository, if it is there for this account."""
        repository = self._repositories.get(repo_id)
        hidden = repository and repository.private and account not in repository.readers
        if repository is None or hidden:
            raise refusals.no_repository(anonymous=account is None)
        if repository.disabled:
            raise refusals.disabled()
        return repository

    def _let_in(self, repository: Repository, account: str | None) -> None:
        """A gated repository shows its list to everybody, its files only to its readers."""
        if repository.gated and account not in repository.readers:
            raise refusals.gated(repository.id, anonymous=account is None)

    def _account(self, request: Request) -> str | None:
        if request.header("authorization") is None:
            return None
        account = self.accounts.name(request.bearer)
        if account is None:
            raise refusals.bad_token()
        return account

    def _address(self, request: Request) -> Address | None:
        return addresses.parse(request.segments, self._knows)

    def _knows(self, repo_id: str) -> bool:
        return repo_id in self._repositories or repo_id in self._moved

    def _redirected(self, request: Request, address: Address) -> Response:
        new = self._moved[address.repo]
        old, new = (quote(name, safe="/") for name in (address.repo, new))
        return redirect(307, request.target.replace(f"/{old}", f"/{new}", 1))
