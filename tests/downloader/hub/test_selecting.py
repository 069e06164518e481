"""What a selection names of a commit, and what a large one may cost."""

from __future__ import annotations

import pytest
from django.utils import timezone

from downloader.hub import choosing, selecting
from downloader.hub.errors import HubError, TooManyPatterns, UnknownFile
from downloader.hub.models import Repo, RepoFile, Snapshot

pytestmark = pytest.mark.django_db

FILES = ["a/b.json", "a/c/d.json", "a-b/e.json", "a0.json", "top.json", "odd[1].json", "odd1.json"]
BARRED = "a/weights.bin"


def listed(*paths: str) -> Snapshot:
    repo = Repo.objects.create(author="forge", name="large", revision="main")
    snapshot = Snapshot.objects.create(repo=repo, commit="c0" * 20, taken_at=timezone.now())
    Repo.objects.filter(pk=repo.pk).update(snapshot=snapshot)
    rows = [
        RepoFile(snapshot=snapshot, path=path, size_bytes=1, barred="no" * (path == BARRED))
        for path in paths
    ]
    RepoFile.objects.bulk_create(rows)
    return snapshot


@pytest.fixture
def snapshot() -> Snapshot:
    return listed(*FILES, BARRED)


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([], FILES),
        ([{"path": "a", "type": "dir"}], FILES[:2]),
        ([{"path": "/a/"}], FILES[:2]),
        ([{"path": "/", "type": "dir"}], FILES),
        ([{"path": "*.json"}], FILES),
        ([{"path": "a/*"}, {"path": "top.json"}], [*FILES[:2], "top.json"]),
        ([{"path": "odd[1].json"}], ["odd[1].json"]),
        ([{"path": "odd[12].json"}], ["odd1.json"]),
        ([{"path": BARRED}], [BARRED]),
        ([{"path": "top.json"}] * 3, ["top.json"]),
    ],
)
def test_a_selection_names_files(
    snapshot: Snapshot, entries: list[dict[str, str]], named: list[str]
) -> None:
    assert selecting.select(snapshot, entries) == sorted(named)


@pytest.mark.parametrize("path", ["gone.json", "*.gone", "weights.bin", "b.json"])
def test_a_name_that_fits_nothing_is_told(snapshot: Snapshot, path: str) -> None:
    with pytest.raises(UnknownFile, match="There is no"):
        selecting.select(snapshot, [{"path": path}])


def test_thousands_of_names_are_held_against_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = listed(*(f"part/{n:05}.bin" for n in range(20_000)))
    # Who tries a pattern breaks.
    monkeypatch.setattr("downloader.hub.selecting.fnmatch.translate", None)
    wanted = [f"part/{n:05}.bin" for n in range(0, 20_000, 2)]
    assert selecting.select(snapshot, [{"path": path} for path in wanted]) == wanted


@pytest.mark.parametrize("revision", ["main", "c0" * 20])
def test_more_patterns_than_are_tried_are_refused_at_the_door(revision: str) -> None:
    snapshot = listed("a.json")
    Repo.objects.update(revision=revision)
    repo = Repo.objects.get()
    entries = [{"path": f"*{n}.json"} for n in range(selecting.MOST_PATTERNS + 1)]
    with pytest.raises(TooManyPatterns, match="At most 100 patterns"):
        choosing.of(repo, entries, force=False)
    with pytest.raises(HubError, match="There is no"):
        selecting.select(snapshot, entries[:-1])


def test_many_names_that_fit_nothing_are_no_patterns(snapshot: Snapshot) -> None:
    entries = [{"path": f"{n}.json"} for n in range(1000)]
    with pytest.raises(UnknownFile):
        selecting.select(snapshot, entries)
