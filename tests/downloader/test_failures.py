"""What the library's errors mean to a job and to a shell."""

from __future__ import annotations

import pytest

from downloader import failures
from downloader.library import errors
from downloader.library.errors import DownloadError
from jobs.errors import Failure
from jobs.retries import TRANSIENT_BY_CODE, is_transient

pytestmark = pytest.mark.pure

EVERY = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DownloadError)
]


def made(kind: type[DownloadError]) -> DownloadError:
    if kind is errors.Throttled:
        return errors.Throttled("No.", retry_after_s=5.0)
    return kind("No.")


@pytest.mark.parametrize("kind", EVERY)
def test_every_error_has_an_exit_code_and_a_job_code(kind: type[DownloadError]) -> None:
    error = made(kind)
    assert failures.exit_code(error) in {1, 2, 3, 4, 5, 6, 130}
    assert failures.attempt_failed(error).failure.code in TRANSIENT_BY_CODE


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InvalidRef, 2),
        (errors.NotFound, 3),
        (errors.AccessNeeded, 4),
        (errors.Unreachable, 5),
        (errors.Throttled, 5),
        (errors.NoSpace, 6),
        (errors.DigestMismatch, 1),
        (errors.Canceled, 130),
    ],
)
def test_the_exit_codes_are_the_contracts(kind: type[DownloadError], code: int) -> None:
    assert failures.exit_code(made(kind)) == code


@pytest.mark.parametrize(
    ("kind", "again"),
    [
        (errors.Unreachable, True),
        (errors.NoSpace, True),
        (errors.AccessNeeded, False),
        (errors.DigestMismatch, False),
        (errors.InvalidRef, False),
    ],
)
def test_only_what_may_pass_is_tried_again(kind: type[DownloadError], again: bool) -> None:
    failure: Failure = failures.attempt_failed(made(kind)).failure
    assert is_transient(failure) is again


def test_the_address_to_visit_is_told() -> None:
    error = errors.AccessNeeded("Accept the licence.", visit="https://hub.example/a/b")
    assert failures.told(error) == "Accept the licence. Visit https://hub.example/a/b"
