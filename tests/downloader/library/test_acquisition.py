"""Getting a model: fetched once, judged before it is kept, and installed whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from downloader.library import acquisition, identities, install
from downloader.library.checksums import Digest, Trust
from downloader.library.errors import (
    AlreadyInstalled,
    Busy,
    Canceled,
    DigestMismatch,
    InvalidFile,
    NoSpace,
    Unreachable,
)
from downloader.library.safety import Policy
from downloader.library.store import Store, durability, locks
from downloader.library.store.identity import Process
from downloader.library.store.signs import Sign
from downloader.library.watch import Control, FileState
from tests.downloader.library.shelf import (
    FILES,
    LORA,
    WEIGHTS,
    Diary,
    Shelf,
    ShelfSource,
    digest_of,
    get,
    planned,
    safetensors,
)
from tests.downloader.library.store.world import QUICK, computed, keep, survives, tree

pytestmark = pytest.mark.pure

FOLDER = "sdxl-checkpoint/name@1"
FLIPPED = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])
PLAIN_SHA1 = {"config.json": "git-sha1", "notes/readme.md": "git-sha1"}
NO_DIGESTS = dict.fromkeys(FILES, "")


def whole_store(files: dict[str, bytes] = FILES, folder: str = FOLDER) -> list[str]:
    """What lies under the root after all is done: blobs and one model, nothing else."""
    hashes = {computed(body).sha256 for body in files.values()}
    blobs = [f"blobs/sha256/{sha256[:2]}/{sha256}" for sha256 in hashes]
    return sorted([*blobs, *(f"{folder}/{path}" for path in (*files, "model.json"))])


def installed_bytes(store: Store, folder: str = FOLDER) -> dict[str, bytes]:
    paths = [path for path in (store.root / folder).rglob("*") if path.is_file()]
    named = {str(path.relative_to(store.root / folder)): path for path in paths}
    return {name: path.read_bytes() for name, path in named.items() if name != "model.json"}


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


# Space


def test_too_little_room_is_told_before_a_byte_moves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = sum(map(len, FILES.values()))
    free = needed + acquisition.RESERVE_BYTES - 1
    monkeypatch.setattr(Store, "free_bytes", lambda _self: free)
    source = ShelfSource(Shelf())
    with pytest.raises(NoSpace, match="free 1 more") as caught:
        get(store, source)
    assert caught.value.details == {"needed": needed, "free": free, "short": 1}
    assert source.fetched == []
    assert tree(store.root) == []


def test_what_a_partial_file_holds_already_needs_no_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(files={"model.safetensors": WEIGHTS})
    plan = planned(shelf)
    part = store.target(identities.identity(plan, plan.files[0])).part
    part.write_bytes(WEIGHTS[:100])  # one block on the disk
    monkeypatch.setattr(Store, "free_bytes", lambda _self: acquisition.RESERVE_BYTES)
    get(store, ShelfSource(shelf))
    assert installed_bytes(store) == shelf.files


def test_what_is_here_already_needs_no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    get(store, ShelfSource(Shelf()))
    monkeypatch.setattr(Store, "free_bytes", lambda _self: 0)
    get(store, ShelfSource(Shelf()), planned(Shelf(), version="2"))
    assert installed_bytes(store, "sdxl-checkpoint/name@2") == FILES


@pytest.mark.parametrize("change", ["make_file", "make_folder", "write", "rename_new", "link"])
def test_a_disk_that_is_full_half_way_is_told_and_the_next_run_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """At each call of one kind in turn; nothing is ever installed by halves."""
    real = getattr(durability, change)
    failures = 0
    for fails_at in range(1, 200):
        shutil.rmtree(store.root, ignore_errors=True)
        left = [fails_at]

        def full(*arguments: object, left: list[int] = left) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(durability, change, full)
            try:
                get(store, ShelfSource(Shelf()))
            except NoSpace:
                failures += 1
        if left[0] > 0:
            break
        get(store, ShelfSource(Shelf()))
        assert tree(store.root) == whole_store(), (change, fails_at)
    assert failures >= 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """One megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.live
def test_a_disk_that_is_really_full(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(small_disk / "models", rhythm=QUICK)
    shelf = Shelf(files={**FILES, "model.safetensors": safetensors({"weight": (600_000,)})})
    with pytest.raises(NoSpace, match="reserve"):
        get(store, ShelfSource(shelf))
    monkeypatch.setattr(acquisition, "RESERVE_BYTES", 0)
    ballast = small_disk / "ballast"

    def fill(_path: str) -> None:
        """Another takes the room after we looked."""
        if not ballast.exists():
            with pytest.raises(OSError, match="No space"):
                ballast.write_bytes(bytes(2 << 20))

    source = ShelfSource(shelf, before=fill)
    with pytest.raises((NoSpace, OSError)):
        get(store, source)
    assert not (store.root / FOLDER).exists()
    ballast.unlink()
    get(store, ShelfSource(shelf))
    assert installed_bytes(store) == shelf.files


# Interrupted, twice, together


def test_a_broken_connection_keeps_the_files_that_were_complete(store: Store) -> None:
    shelf = Shelf(files=dict(sorted(FILES.items())), algorithms=PLAIN_SHA1)
    shelf.served["model.safetensors"] = Unreachable("the network is gone")
    with pytest.raises(Unreachable):
        get(store, ShelfSource(shelf))
    shelf.served.clear()
    again = ShelfSource(shelf)
    get(store, again)
    assert "config.json" not in again.fetched
    assert tree(store.root) == whole_store()


def test_a_stop_keeps_the_files_that_were_complete(store: Store) -> None:
    control = Control()
    shelf = Shelf(files=dict(sorted(FILES.items())))

    def stop_at(path: str) -> None:
        if path == "model.safetensors":
            control.cancel()
            control.check()

    with pytest.raises(Canceled):
        get(store, ShelfSource(shelf, before=stop_at), control=control)
    assert not (store.root / FOLDER).exists()
    again = ShelfSource(shelf)
    get(store, again)
    assert "config.json" not in again.fetched


def test_a_source_that_only_answers_at_the_end_is_served_too(store: Store) -> None:
    class Quiet(ShelfSource):
        def fetch(self, engine, *rest):  # type: ignore[no-untyped-def]
            return super().fetch(object(), *rest)  # type: ignore[arg-type]

    get(store, Quiet(Shelf()))
    assert tree(store.root) == whole_store()


@pytest.mark.parametrize("algorithms", [{}, PLAIN_SHA1, NO_DIGESTS])
@pytest.mark.parametrize("small", [1, identities.SMALL_BYTES])
def test_two_at_once_fetch_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, algorithms: dict[str, str], small: int
) -> None:
    monkeypatch.setattr(identities, "SMALL_BYTES", small)
    both_are_there = threading.Barrier(2, timeout=20)
    sources = [ShelfSource(Shelf(algorithms=algorithms)) for _ in range(2)]
    errors: list[BaseException] = []

    def work(source: ShelfSource) -> None:
        try:
            both_are_there.wait()
            get(Store(store.root, rhythm=QUICK), source)
        except BaseException as error:  # noqa: BLE001  the border of a thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=[source]) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted([*sources[0].fetched, *sources[1].fetched]) == sorted(FILES)
    assert tree(store.root) == whole_store()


def test_who_waits_says_so(store: Store) -> None:
    plan = planned(Shelf())
    lease = store.lock_now(identities.lock_name(plan, plan.files[0]))
    assert lease is not None
    threading.Timer(0.2, store.let_go, [lease]).start()
    diary = Diary()
    get(Store(store.root, rhythm=QUICK), ShelfSource(Shelf()), plan, observer=diary)
    assert "waiting" in diary.codes


def test_who_lost_its_lock_publishes_nothing(store: Store) -> None:
    """It was frozen, and another process took over meanwhile."""

    def lose(_path: str) -> None:
        for lock in (store.root / ".locks").glob("*.lock"):
            lock.unlink()

    with pytest.raises(Busy):
        get(store, ShelfSource(Shelf(), before=lose))
    assert not (store.root / FOLDER).exists()
    assert not (store.root / "blobs").exists()


def test_the_partial_file_of_a_holder_that_fell_silent_is_not_gone_on_with(store: Store) -> None:
    """It may wake up and write into it."""
    shelf = Shelf(files={"model.safetensors": WEIGHTS})
    plan = planned(shelf)
    part = store.target(identities.identity(plan, plan.files[0])).part
    part.write_bytes(b"half")
    half = part.stat()
    name = identities.lock_name(plan, plan.files[0])
    (store.root / ".locks").mkdir(parents=True, exist_ok=True)
    silent = Sign("there", Process("another boot/namespace", 1, "1"), {"name": name})
    (store.root / ".locks" / f"{locks._key(name)}.lock").write_bytes(silent.encoded())
    seen: list[bool] = []
    get(store, ShelfSource(shelf, before=lambda _path: seen.append(part.exists())), plan)
    assert half.st_nlink == 1
    assert seen == [False]


@pytest.mark.parametrize("algorithms", [{}, PLAIN_SHA1])
def test_a_kill_at_any_step_is_made_good_by_the_next_run(
    store: Store, algorithms: dict[str, str]
) -> None:
    """What stands is whole or absent; what was a blob is not fetched again; no debris is left."""
    steps, done = 0, False
    while not done:
        steps += 1
        shutil.rmtree(store.root, ignore_errors=True)
        done = survives(lambda: _get_anew(store.root, algorithms), killed_before=steps)
        assert installed_bytes(store) in ({}, FILES), steps
        kept = [body for body in FILES.values() if store.has(computed(body).sha256, len(body))]
        source = ShelfSource(Shelf(algorithms=algorithms))
        get(store, source)
        assert tree(store.root) == whole_store(), steps
        assert len(source.fetched) <= len(FILES) - len(kept) + _unnoted(algorithms), steps
    assert steps > 60


def _get_anew(root: Path, algorithms: dict[str, str]) -> None:
    get(Store(root, rhythm=QUICK), ShelfSource(Shelf(algorithms=algorithms)))


def _unnoted(algorithms: dict[str, str]) -> int:
    """Files that a kill between their rename and their note makes unknown again."""
    return len(algorithms)


@pytest.mark.live
def test_two_processes_get_it_and_one_is_killed_on_the_way(store: Store) -> None:
    command = [sys.executable, "-m", f"{__package__}.getter", str(store.root)]
    doomed = subprocess.Popen([*command, "hang"], stdout=subprocess.PIPE, text=True)
    assert doomed.stdout is not None
    assert doomed.stdout.readline().strip() == "fetching"
    other = subprocess.Popen([*command, "get"], stdout=subprocess.PIPE, text=True)
    doomed.kill()
    doomed.communicate()
    assert "installed" in other.communicate()[0]
    assert other.returncode == 0
    assert tree(store.root) == whole_store()


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
