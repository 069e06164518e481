"""The hub's errors: a status, a code in X-Error-Code, words in X-Error-Message."""

from __future__ import annotations

from tests.hubs.huggingface.repositories import Commit, Repository
from tests.hubs.messages import Refused, as_json


def _refused(status: int, code: str | None, message: str, **headers: str) -> Refused:
    response = as_json({"error": message}, status, x_error_message=message, **headers)
    return Refused(response.having(x_error_code=code))


def bad_token() -> Refused:
    return _refused(401, None, "Invalid credentials in Authorization header")


def no_login() -> Refused:
    return _refused(401, None, "Invalid username or password.")


def no_repository(*, anonymous: bool) -> Refused:
    """A stranger is not told whether it is private or absent."""
    if anonymous:
        return _refused(401, "RepoNotFound", "Invalid username or password.")
    return _refused(404, "RepoNotFound", "Repository not found")


def disabled() -> Refused:
    return _refused(403, None, "Access to this resource is disabled.")


def gated(repo: str, *, anonymous: bool) -> Refused:
    if anonymous:
        words = "You must have access to it and be authenticated to access it. Please log in."
        return _refused(401, "GatedRepo", f"Access to model {repo} is restricted. {words}")
    words = "and you are not in the authorized list."
    return _refused(403, "GatedRepo", f"Access to model {repo} is restricted {words}")


def no_revision(revision: str) -> Refused:
    return _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def commit_of(repository: Repository, revision: str) -> Commit:
    """The commit behind a revision, or the refusal."""
    sha = repository.resolve(revision)
    if sha is None:
        raise no_revision(revision)
    return repository.commits[sha]


def no_entry(commit: str) -> Refused:
    return _refused(404, "EntryNotFound", "Entry not found", x_repo_commit=commit)


def no_page() -> Refused:
    return _refused(404, None, "Sorry, we can't find the page you are looking for.")


def bad_request(message: str) -> Refused:
    return _refused(400, None, message)


def wrong_method(allowed: str) -> Refused:
    return _refused(405, None, "Method Not Allowed", allow=allowed)
