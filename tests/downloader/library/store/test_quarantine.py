"""Quarantine: bytes that are not what their source names, and an operator's word for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from downloader.library.checksums import Digest
from downloader.library.errors import InvalidFile, NotFound, Refused, UnsafeName
from downloader.library.store import Store, Terms
from tests.downloader.library.store.world import age, computed, staged, survives, tree

pytestmark = pytest.mark.pure

BODY = b"not what was announced"
HASH = computed(BODY).sha256
EXPECTED = Digest("sha256", "0" * 64)


def suspect(store: Store, body: bytes = BODY) -> str:
    return store.quarantine(
        staged(store, body),
        path="model.safetensors",
        source_uri="hf:author/name@commit",
        expected=EXPECTED,
        computed=computed(body),
    )


def test_the_bytes_and_what_was_expected_are_kept(store: Store) -> None:
    id_ = suspect(store)
    assert tree(store.root) == [f".quarantine/{id_}/bytes", f".quarantine/{id_}/record.json"]
    kept = store.quarantined()[id_]
    assert kept is not None
    assert (kept.path, kept.source_uri) == ("model.safetensors", "hf:author/name@commit")
    assert (kept.expected, kept.computed.sha256, kept.size) == (str(EXPECTED), HASH, len(BODY))
    assert kept.at.endswith("Z")
    assert not store.has(HASH, None)


def test_the_same_wrong_bytes_are_kept_once(store: Store) -> None:
    assert suspect(store) == suspect(store)
    assert suspect(store, b"other bytes") != suspect(store)
    assert len(store.quarantined()) == 2


def test_released_bytes_become_a_blob_with_a_name_and_a_reason(store: Store) -> None:
    id_ = suspect(store)
    assert store.release(id_, by="keeper", reason="the hub's hash is old") == computed(BODY)
    assert store.has(HASH, len(BODY))
    assert store.quarantined() == {}
    [override] = store.overrides()
    assert (override.sha256, override.by, override.reason) == (
        HASH,
        "keeper",
        "the hub's hash is old",
    )
    assert (override.path, override.expected) == ("model.safetensors", str(EXPECTED))


@pytest.mark.parametrize(("by", "reason"), [("", "because"), ("keeper", " ")])
def test_nobody_releases_without_a_name_or_a_reason(store: Store, by: str, reason: str) -> None:
    id_ = suspect(store)
    with pytest.raises(Refused, match="name of who"):
        store.release(id_, by=by, reason=reason)
    assert list(store.quarantined()) == [id_]
    assert store.overrides() == []


def test_bytes_that_changed_in_quarantine_are_not_released(store: Store) -> None:
    id_ = suspect(store)
    kept = store.root / ".quarantine" / id_ / "bytes"
    kept.chmod(0o644)
    kept.write_bytes(BODY[::-1])
    with pytest.raises(InvalidFile, match="changed"):
        store.release(id_, by="keeper", reason="because")
    assert store.overrides() == []


def test_discarded_bytes_are_gone(store: Store) -> None:
    id_ = suspect(store)
    assert store.discard(id_) == len(BODY)
    assert tree(store.root) == []


@pytest.mark.parametrize("id_", ["../../etc", "overrides", "", "a" * 25, "A" * 24])
def test_what_is_no_id_leads_nowhere(store: Store, id_: str) -> None:
    with pytest.raises(UnsafeName):
        store.discard(id_)


def test_an_id_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(NotFound):
        store.release("a" * 24, by="keeper", reason="because")


def test_a_record_that_cannot_be_read_can_be_discarded(store: Store) -> None:
    id_ = suspect(store)
    (store.root / ".quarantine" / id_ / "record.json").write_text("{")
    assert store.quarantined() == {id_: None}
    with pytest.raises(InvalidFile, match="Discard"):
        store.release(id_, by="keeper", reason="because")
    store.discard(id_)
    assert store.quarantined() == {}


def test_collection_leaves_what_is_in_quarantine(store: Store) -> None:
    id_ = suspect(store)
    store.collect(Terms(grace_s=0, staging_grace_s=0))
    assert list(store.quarantined()) == [id_]


def test_a_kill_at_any_step_of_a_release_leaves_it_to_be_done_again(store: Store) -> None:
    steps, done = 0, False
    while not done:
        steps += 1
        id_ = suspect(store)
        done = survives(lambda id_=id_: _release(store.root, id_), killed_before=steps)  # type: ignore[misc]
        trusted = [override.sha256 for override in store.overrides()]
        assert not store.has(HASH, None) or HASH in trusted, steps
        store.drop(HASH) if store.has(HASH, None) else None
        for left in (store.root / ".quarantine").rglob("*.json*"):
            left.unlink()
    assert steps > 20


def _release(root: Path, id_: str) -> None:
    Store(root).release(id_, by="keeper", reason="because")


def test_an_entry_whose_bytes_never_came_is_collected(store: Store) -> None:
    id_ = suspect(store)
    (store.root / ".quarantine" / id_ / "bytes").unlink()
    assert store.quarantined() == {}
    store.collect()
    assert len(tree(store.root)) == 1
    age(store.root / ".quarantine" / id_ / "record.json", 7200)
    store.collect()
    assert tree(store.root) == []
