"""Getting a model: fetched once, judged before it is kept, and installed whole or not at all."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from downloader.library import identities, install
from downloader.library.checksums import Digest, Trust
from downloader.library.errors import (
    AlreadyInstalled,
    DigestMismatch,
    InvalidFile,
)
from downloader.library.safety import Policy
from downloader.library.store import Store
from downloader.library.watch import FileState
from tests.downloader.library.installed import FOLDER, installed_bytes, whole_store
from tests.downloader.library.shelf import (
    FILES,
    LORA,
    NO_DIGESTS,
    PLAIN_SHA1,
    WEIGHTS,
    Diary,
    Shelf,
    ShelfSource,
    digest_of,
    get,
    planned,
    safetensors,
)
from tests.downloader.library.store.world import computed, keep, tree

pytestmark = pytest.mark.pure

FLIPPED = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])


def test_a_model_is_fetched_verified_and_installed(store: Store) -> None:
    diary, source = Diary(), ShelfSource(Shelf())
    acquired = get(store, source, observer=diary)
    assert installed_bytes(store) == FILES
    assert tree(store.root) == whole_store()
    assert acquired.received_bytes == sum(map(len, FILES.values()))
    assert acquired.already_here_bytes == 0
    assert {file.trust for file in acquired.descriptor.files} == {"verified"}
    assert {state.state for state in diary.states.values()} == {FileState.DONE}
    assert sorted(set(diary.codes)) == ["installed", "verified"]


def test_the_second_time_nothing_moves(store: Store) -> None:
    get(store, ShelfSource(Shelf(algorithms=PLAIN_SHA1)))
    before = (store.root / FOLDER / "model.json").stat()
    diary, source = Diary(), ShelfSource(Shelf(algorithms=PLAIN_SHA1))
    again = get(store, source, observer=diary)
    assert source.fetched == []
    assert again.received_bytes == 0
    assert again.already_here_bytes == sum(map(len, FILES.values()))
    assert os.path.samestat(before, (store.root / FOLDER / "model.json").stat())
    assert {state.state for state in diary.states.values()} == {FileState.DONE}


@pytest.mark.parametrize("algorithms", [{}, PLAIN_SHA1])
def test_what_another_model_brought_is_not_fetched_again(
    store: Store, algorithms: dict[str, str]
) -> None:
    get(store, ShelfSource(Shelf(algorithms=algorithms)))
    other = ShelfSource(Shelf(algorithms=algorithms, commit="d" * 40))
    other.shelf.files["more.json"] = b"{}"
    acquired = get(store, other, planned(other.shelf, version="2"))
    assert other.fetched == ["more.json"]
    assert acquired.received_bytes == 2


def test_files_without_a_digest_are_recorded_and_not_fetched_twice(store: Store) -> None:
    source = ShelfSource(Shelf(algorithms=NO_DIGESTS))
    acquired = get(store, source)
    assert {file.trust for file in acquired.descriptor.files} == {"local"}
    again = ShelfSource(Shelf(algorithms=NO_DIGESTS))
    get(store, again)
    assert again.fetched == []


def test_files_without_a_digest_of_another_commit_are_fetched(store: Store) -> None:
    get(store, ShelfSource(Shelf(algorithms=NO_DIGESTS)))
    other = ShelfSource(Shelf(algorithms=NO_DIGESTS, commit="d" * 40))
    get(store, other)
    assert sorted(other.fetched) == sorted(FILES)


def test_the_same_bytes_twice_in_a_model_are_fetched_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "SMALL_BYTES", 1)
    source = ShelfSource(Shelf(files={"a.safetensors": WEIGHTS, "b.safetensors": WEIGHTS}))
    get(store, source)
    assert len(source.fetched) == 1
    assert installed_bytes(store) == source.shelf.files


def test_a_hint_that_lies_is_not_believed(store: Store) -> None:
    """Another descriptor claims that some blob has our digest."""
    lying = store.root / "lora/liar@1"
    lying.mkdir(parents=True)
    wrong = keep(store, b'{"a": 0}')
    announced = digest_of(FILES["config.json"], "git-sha1")
    entry = f'{{"sha256": "{wrong}", "trust": "verified", "source_digest": "{announced}"}}'
    (lying / "model.json").write_text(f'{{"files_json": [{entry}]}}')
    get(store, ShelfSource(Shelf(algorithms=PLAIN_SHA1)))
    assert installed_bytes(store) == FILES


# What is not right


@pytest.mark.parametrize("algorithm", ["sha256", "git-sha1"])
def test_one_flipped_bit_installs_nothing_and_is_kept_apart(store: Store, algorithm: str) -> None:
    diary = Diary()
    shelf = Shelf(algorithms={"model.safetensors": algorithm})
    shelf.served["model.safetensors"] = FLIPPED
    with pytest.raises(DigestMismatch, match="in quarantine as") as caught:
        get(store, ShelfSource(shelf), observer=diary)
    [id_] = store.quarantined()
    assert caught.value.quarantine_id == id_
    assert not (store.root / FOLDER).exists()
    assert not store.has(computed(FLIPPED).sha256, None)
    assert diary.states["model.safetensors"].state is FileState.FAILED
    assert "quarantined" in diary.codes


def test_after_a_mismatch_the_good_files_stay(store: Store) -> None:
    shelf = Shelf(served={"model.safetensors": FLIPPED}, algorithms=PLAIN_SHA1)
    shelf.files = dict(sorted(FILES.items()))  # the bad one is not the first
    with pytest.raises(DigestMismatch):
        get(store, ShelfSource(shelf))
    shelf.served.clear()
    again = ShelfSource(shelf)
    get(store, again)
    assert "model.safetensors" in again.fetched
    assert "config.json" not in again.fetched


def test_a_mismatch_that_comes_twice_is_kept_once(store: Store) -> None:
    shelf = Shelf(served={"model.safetensors": FLIPPED})
    for _ in range(2):
        with pytest.raises(DigestMismatch):
            get(store, ShelfSource(shelf))
    assert len(store.quarantined()) == 1


def test_what_an_operator_released_is_installed_as_overridden(store: Store) -> None:
    shelf = Shelf(served={"model.safetensors": FLIPPED})
    with pytest.raises(DigestMismatch) as caught:
        get(store, ShelfSource(shelf))
    store.release(str(caught.value.quarantine_id), by="keeper", reason="the hash is old")
    again = ShelfSource(shelf)
    acquired = get(store, again)
    trust = {file.path: file.trust for file in acquired.descriptor.files}
    assert trust["model.safetensors"] == "overridden"
    assert trust["config.json"] == "verified"
    assert "model.safetensors" not in again.fetched
    assert installed_bytes(store)["model.safetensors"] == FLIPPED


def test_an_override_holds_when_the_bytes_come_again(store: Store) -> None:
    shelf = Shelf(served={"model.safetensors": FLIPPED})
    with pytest.raises(DigestMismatch) as caught:
        get(store, ShelfSource(shelf))
    store.release(str(caught.value.quarantine_id), by="keeper", reason="the hash is old")
    store.drop(computed(FLIPPED).sha256)
    acquired = get(store, ShelfSource(shelf))
    assert "overridden" in {file.trust for file in acquired.descriptor.files}


def test_an_override_is_for_those_bytes_of_that_file_only(store: Store) -> None:
    shelf = Shelf(served={"model.safetensors": FLIPPED})
    with pytest.raises(DigestMismatch) as caught:
        get(store, ShelfSource(shelf))
    store.release(str(caught.value.quarantine_id), by="keeper", reason="the hash is old")
    other_bytes = safetensors({"weight": (64,)}, fill=7)
    elsewhere = Shelf(served={"model.safetensors": other_bytes})
    store.drop(computed(FLIPPED).sha256)
    with pytest.raises(DigestMismatch):
        get(store, ShelfSource(elsewhere))
    moved = Shelf(served={"model.safetensors": FLIPPED}, commit="d" * 40)
    with pytest.raises(DigestMismatch):
        get(store, ShelfSource(moved))


def test_a_login_page_in_place_of_weights_is_not_kept(store: Store) -> None:
    page = b"<!doctype html><html><body>Please log in</body></html>"
    shelf = Shelf(files={"model.safetensors": page}, algorithms={"model.safetensors": ""})
    with pytest.raises(InvalidFile):
        get(store, ShelfSource(shelf))
    assert tree(store.root) == []


def test_a_mismatch_says_what_the_bytes_look_like(store: Store) -> None:
    page = b"<!doctype html><html><body>Please log in</body></html>"
    with pytest.raises(DigestMismatch, match="page"):
        get(store, ShelfSource(Shelf(served={"model.safetensors": page})))


def test_a_pickle_in_disguise_is_refused_also_when_its_bytes_are_here(store: Store) -> None:
    pickled = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."
    keep(store, pickled)
    shelf = Shelf(files={"model.safetensors": pickled})
    with pytest.raises(InvalidFile):
        get(store, ShelfSource(shelf))
    assert not (store.root / FOLDER).exists()


def test_what_the_policy_allows_is_installed(store: Store) -> None:
    pickled = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."
    shelf = Shelf(files={"model.ckpt": pickled})
    policy = Policy(allow_pickle=True)
    get(store, ShelfSource(shelf), policy=policy)
    assert installed_bytes(store) == {"model.ckpt": pickled}


def test_other_content_under_the_name_is_refused_before_a_byte_moves(store: Store) -> None:
    get(store, ShelfSource(Shelf()))
    other = ShelfSource(Shelf(files={**FILES, "config.json": b'{"a": 2}'}))
    with pytest.raises(AlreadyInstalled, match="force"):
        get(store, other)
    assert other.fetched == []
    first = install.read(planned(other.shelf).folder, store)
    acquired = get(store, other, force=True)
    assert installed_bytes(store) == other.shelf.files
    assert acquired.descriptor.id == first.id


def test_other_content_without_digests_is_refused_when_it_is_known(store: Store) -> None:
    get(store, ShelfSource(Shelf(algorithms=NO_DIGESTS)))
    files = {**FILES, "config.json": b'{"a": 2}'}
    other = ShelfSource(Shelf(files=files, algorithms=NO_DIGESTS, commit="d" * 40))
    with pytest.raises(AlreadyInstalled):
        get(store, other)
    assert installed_bytes(store) == FILES


def test_trust_follows_what_the_source_publishes_later(store: Store) -> None:
    get(store, ShelfSource(Shelf(algorithms=NO_DIGESTS)))
    acquired = get(store, ShelfSource(Shelf()))
    assert {file.trust for file in acquired.descriptor.files} == {Trust.VERIFIED.value}
    assert acquired.received_bytes == 0


def test_a_weak_digest_verifies_nothing_and_disproves(store: Store) -> None:
    shelf = Shelf(files={"model.safetensors": WEIGHTS})
    plan = planned(shelf)

    def with_digest(value: str) -> object:
        file = replace(plan.files[0].file, digest=Digest("autov2", value))
        return replace(plan, files=(replace(plan.files[0], file=file),))

    with pytest.raises(DigestMismatch):
        get(store, ShelfSource(shelf), with_digest("0" * 10))  # type: ignore[arg-type]
    right = with_digest(computed(WEIGHTS).sha256[:10])
    acquired = get(store, ShelfSource(shelf), right)  # type: ignore[arg-type]
    assert [file.trust for file in acquired.descriptor.files] == ["local"]


# The kind


def test_the_tensors_say_what_kind_it_is(store: Store) -> None:
    shelf = Shelf(files={"model.safetensors": LORA}, kind_hint="other")
    acquired = get(store, ShelfSource(shelf), planned(shelf, kind=None))
    assert acquired.descriptor.kind == "lora"
    assert acquired.descriptor.local_path == "lora/name@1"
    again = ShelfSource(shelf)
    assert get(store, again, planned(shelf, kind=None)).descriptor == acquired.descriptor
    assert again.fetched == []


def test_a_kind_that_a_person_names_stands(store: Store) -> None:
    shelf = Shelf(files={"model.safetensors": LORA})
    acquired = get(store, ShelfSource(shelf), planned(shelf, kind="upscaler"))
    assert acquired.descriptor.kind == "upscaler"


def test_a_file_without_a_digest_is_found_under_the_kind_it_turned_out_to_be(
    store: Store,
) -> None:
    shelf = Shelf(files={"model.safetensors": LORA}, kind_hint="other")
    shelf.algorithms = {"model.safetensors": ""}
    get(store, ShelfSource(shelf), planned(shelf, kind=None))
    again = ShelfSource(shelf)
    get(store, again, planned(shelf, kind=None))
    assert again.fetched == []
