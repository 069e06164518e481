"""What a path of the protocol can mean."""

from __future__ import annotations

import pytest

from downloader.hub.serving import addresses
from downloader.hub.serving.addresses import Reading

pytestmark = pytest.mark.pure


def test_name_of_two_segments_is_tried_before_one_of_one() -> None:
    assert addresses.of_api("a/tree/tree/main/x") == [
        Reading("a/tree", "tree", "main/x"),
        Reading("a", "tree", "tree/main/x"),
    ]


def test_repository_itself_has_no_verb() -> None:
    assert addresses.of_api("author/name") == [Reading("author/name", "", "")]
    assert addresses.of_api("gpt2") == [Reading("gpt2", "", "")]


def test_file_of_a_name_of_one_segment_is_found() -> None:
    assert addresses.of_file("gpt2/resolve/main/a.txt") == [
        Reading("gpt2", "resolve", "main/a.txt")
    ]


def test_file_in_a_folder_called_resolve_has_two_readings() -> None:
    assert [one.repo_id for one in addresses.of_file("a/resolve/resolve/b")] == ["a/resolve", "a"]


@pytest.mark.parametrize("path", ["../etc/tree/main", "a/..", ".hidden/name", "a//b", "", "a b/c"])
def test_what_is_no_name_has_no_reading(path: str) -> None:
    assert addresses.of_api(path) == []


@pytest.mark.parametrize("path", ["a/b/blob/main/x", "a/b/c/resolve/main/x", "a/b"])
def test_other_pages_of_the_hub_have_no_reading(path: str) -> None:
    assert addresses.of_file(path) == []


@pytest.mark.parametrize(
    ("rest", "known", "expected"),
    [
        ("main/a/b.txt", {"main"}, ("main", "a/b.txt")),
        ("feature/x/a.txt", {"feature/x", "main"}, ("feature/x", "a.txt")),
        ("feature/x/a.txt", {"feature", "feature/x"}, ("feature/x", "a.txt")),
        ("feature/x", {"feature/x"}, ("feature/x", "")),
        ("mainly/a.txt", {"main"}, ("mainly", "a.txt")),
        ("refs/pr/3/a/b.txt", set(), ("refs/pr/3", "a/b.txt")),
        ("refs/convert/parquet", set(), ("refs/convert/parquet", "")),
        ("v1/a.txt", set(), ("v1", "a.txt")),
    ],
)
def test_revision_is_cut_from_the_path(
    rest: str, known: set[str], expected: tuple[str, str]
) -> None:
    assert addresses.revision_and_path(rest, known) == expected
