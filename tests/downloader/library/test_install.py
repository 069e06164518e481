"""Model folders: installed whole, looked after, removed without taking what others need."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from downloader.library import install
from downloader.library.checksums import Trust
from downloader.library.errors import AlreadyInstalled, InvalidFile, NotFound
from downloader.library.install import State, Stored
from downloader.library.plan import Plan
from downloader.library.store import Store, Terms, durability
from registry.descriptors import Descriptor
from registry.parameters import capabilities_for, schema_for
from tests.downloader.library.shelf import (
    FILES,
    WEIGHTS,
    Shelf,
    ShelfSource,
    get,
    planned,
    safetensors,
)
from tests.downloader.library.store.world import computed, keep, tree

pytestmark = pytest.mark.pure

FOLDER = PurePosixPath("sdxl-checkpoint/name@1")
SHA256 = {path: computed(body).sha256 for path, body in FILES.items()}


def stored(store: Store, files: dict[str, bytes]) -> dict[str, Stored]:
    return {
        path: Stored(keep(store, body), len(body), Trust.VERIFIED) for path, body in files.items()
    }


def put(store: Store, shelf: Shelf, plan: Plan | None = None, *, force: bool = False) -> Descriptor:
    """Install what is in the store, without fetching."""
    plan = plan or planned(shelf)
    base = ShelfSource(shelf).to_model_descriptor(plan.resolved)
    with store.claim() as claim:
        have = stored(store, shelf.files)
        return install.install(plan, have, base, store, claim, force=force)


def spoil(path: Path, body: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(body)


def test_the_descriptor_on_the_disk_is_the_answer(store: Store) -> None:
    put_down = put(store, Shelf())
    data = json.loads((store.root / FOLDER / "model.json").read_bytes())
    assert Descriptor.from_json(data) == put_down == install.read(FOLDER, store)
    assert (put_down.name, put_down.kind, put_down.version) == ("name", "sdxl-checkpoint", "1")
    assert put_down.local_path == str(FOLDER)
    assert put_down.installed
    assert not put_down.enabled
    assert put_down.source_uri == f"shelf:author/name@{'c' * 40}"
    assert put_down.provenance["commit"] == "c" * 40
    assert str(put_down.provenance["downloaded_at"]).endswith("Z")
    assert {file.path: (file.sha256, file.size) for file in put_down.files} == {
        path: (SHA256[path], len(body)) for path, body in FILES.items()
    }


def test_the_files_are_links_to_read_only_blobs(store: Store) -> None:
    put(store, Shelf())
    for path, sha256 in SHA256.items():
        shown = store.root / FOLDER / path
        assert shown.samefile(store.blob(sha256))
        assert shown.stat().st_mode & 0o777 == 0o444


def test_bounds_are_those_of_the_kind_it_is_installed_as(store: Store) -> None:
    descriptor = put(store, Shelf(), planned(Shelf(), kind="lora"))
    assert descriptor.parameters_schema == schema_for("lora")
    assert descriptor.capabilities == capabilities_for("lora")


def test_a_single_model_is_known_by_its_main_weights(store: Store) -> None:
    shelf = Shelf(files={"a-little-one.safetensors": safetensors({"a": (1,)}), **FILES})
    assert put(store, shelf).checkpoint_hash == f"sha256:{SHA256['model.safetensors']}"


def test_what_the_source_calls_primary_is_the_main_weights(store: Store) -> None:
    little = safetensors({"a": (1,)})
    shelf = Shelf(files={"a-little-one.safetensors": little, **FILES})
    plan = planned(shelf)
    first = plan.files[0]
    primary = replace(first, file=replace(first.file, facts={"primary": "true"}))
    descriptor = put(store, shelf, replace(plan, files=(primary, *plan.files[1:])))
    assert descriptor.checkpoint_hash == f"sha256:{computed(little).sha256}"


def test_a_folder_of_weights_is_known_by_the_list_of_its_files(store: Store) -> None:
    descriptor = put(store, Shelf(), planned(Shelf(), kind="sdxl-diffusers"))
    listed = "".join(f"{SHA256[path]}  {path}\n" for path in sorted(FILES))
    assert descriptor.checkpoint_hash == f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


def test_the_same_content_again_changes_nothing(store: Store) -> None:
    first = put(store, Shelf())
    before = (store.root / FOLDER).stat()
    assert put(store, Shelf()) == first
    assert os.path.samestat(before, (store.root / FOLDER).stat())


def test_the_same_content_again_puts_back_a_link_that_is_missing(store: Store) -> None:
    first = put(store, Shelf())
    (store.root / FOLDER / "config.json").unlink()
    assert put(store, Shelf()) == first
    assert (store.root / FOLDER / "config.json").read_bytes() == FILES["config.json"]


def test_other_content_is_refused_unless_it_is_forced(store: Store) -> None:
    first = put(store, Shelf())
    other = Shelf(files={**FILES, "config.json": b'{"a": 2}'})
    with pytest.raises(AlreadyInstalled, match="force"):
        put(store, other)
    assert install.read(FOLDER, store) == first
    forced = put(store, other, force=True)
    assert forced.id == first.id
    assert (store.root / FOLDER / "config.json").read_bytes() == b'{"a": 2}'


def test_a_folder_without_a_descriptor_is_not_ours_to_replace(store: Store) -> None:
    (store.root / FOLDER).mkdir(parents=True)
    (store.root / FOLDER / "precious.txt").write_text("mine")
    with pytest.raises(AlreadyInstalled):
        put(store, Shelf())
    assert (store.root / FOLDER / "precious.txt").read_text() == "mine"
    put(store, Shelf(), force=True)
    assert install.read(FOLDER, store).installed


def test_an_empty_folder_is_no_obstacle(store: Store) -> None:
    (store.root / FOLDER).mkdir(parents=True)
    assert put(store, Shelf()).installed


def test_two_who_install_the_same_both_succeed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is faster: after we looked, before our rename."""
    publish = install._publish

    def let_the_other_in(*arguments: object, **named: object) -> None:
        monkeypatch.setattr(install, "_publish", publish)
        put(Store(store.root), Shelf())
        publish(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(install, "_publish", let_the_other_in)
    ours = put(store, Shelf())
    assert ours == install.read(FOLDER, store)


def test_what_cannot_be_published_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(store, FILES)
    before = tree(store.root)

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EACCES, "not yours")

    with monkeypatch.context() as patched:
        patched.setattr(durability, "rename_new", refuse)
        rename = durability.rename

        def not_the_folder(source: int, old: str, target: int, new: str) -> None:
            if new == FOLDER.name:
                refuse()
            rename(source, old, target, new)

        patched.setattr(durability, "rename", not_the_folder)
        with pytest.raises(Exception, match="Let the account"):
            put(store, Shelf())
    assert tree(store.root) == before


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 99}', "[" * 100_000])
def test_a_damaged_descriptor_says_what_to_do(store: Store, text: str) -> None:
    put(store, Shelf())
    (store.root / FOLDER / "model.json").write_text(text)
    with pytest.raises(InvalidFile, match="Install it again"):
        install.read(FOLDER, store)


def test_where_nothing_is_nothing_is_read(store: Store) -> None:
    with pytest.raises(NotFound):
        install.read(FOLDER, store)


# Verifying and repairing


def states(store: Store) -> dict[str, State]:
    return {verdict.file.path: verdict.state for verdict in install.verify(FOLDER, store)}


def test_a_whole_model_verifies(store: Store) -> None:
    put(store, Shelf())
    assert states(store) == dict.fromkeys(FILES, State.WHOLE)


def test_one_missing_and_one_corrupt_are_told_and_mended_once(store: Store) -> None:
    put(store, Shelf())
    (store.root / FOLDER / "notes/readme.md").unlink()
    spoil(store.blob(SHA256["config.json"]), b'{"a": 7}')
    assert states(store) == {
        "model.safetensors": State.WHOLE,
        "config.json": State.CORRUPT,
        "notes/readme.md": State.MISSING,
    }
    repaired = install.repair(FOLDER, store)
    assert repaired.relinked == ("notes/readme.md",)
    assert repaired.wanted == ("config.json",)
    source = ShelfSource(Shelf())
    get(store, source)
    assert source.fetched == ["config.json"]
    assert states(store) == dict.fromkeys(FILES, State.WHOLE)
    again = install.repair(FOLDER, store)
    assert (again.relinked, again.wanted) == ((), ())


def test_a_file_that_was_replaced_in_the_folder_is_put_back(store: Store) -> None:
    """An editor wrote a new file over the link: the blob is whole."""
    put(store, Shelf())
    shown = store.root / FOLDER / "config.json"
    shown.unlink()
    shown.write_bytes(b'{"a": 7}')
    assert states(store)["config.json"] is State.CORRUPT
    repaired = install.repair(FOLDER, store)
    assert repaired.relinked == ("config.json",)
    assert repaired.wanted == ()
    assert shown.read_bytes() == FILES["config.json"]


def test_a_link_that_leads_elsewhere_is_not_believed(store: Store, tmp_path: Path) -> None:
    put(store, Shelf())
    (tmp_path / "same").write_bytes(FILES["config.json"])
    shown = store.root / FOLDER / "config.json"
    shown.unlink()
    shown.symlink_to(tmp_path / "same")
    assert states(store)["config.json"] is State.MISSING
    install.repair(FOLDER, store)
    assert not shown.is_symlink()
    assert (tmp_path / "same").exists()


def test_copies_are_verified_by_their_own_bytes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(durability, "link", refuse)
    monkeypatch.setattr(durability, "symlink", refuse)
    put(store, Shelf())
    assert states(store) == dict.fromkeys(FILES, State.WHOLE)
    spoil(store.root / FOLDER / "config.json", b'{"a": 7}')
    assert states(store)["config.json"] is State.CORRUPT
    assert install.repair(FOLDER, store).relinked == ("config.json",)
    assert states(store) == dict.fromkeys(FILES, State.WHOLE)


def test_a_blob_shown_twice_is_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, Shelf(files={"a.safetensors": WEIGHTS, "b.safetensors": WEIGHTS}))
    read: list[str] = []
    verify = Store.verify

    def counting(self: Store, sha256: str, *rest: object, **named: object) -> Trust | None:
        read.append(sha256)
        return verify(self, sha256, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "verify", counting)
    assert len(install.verify(FOLDER, store)) == 2
    assert len(read) == 1


# Removing


def test_removing_frees_only_what_nothing_else_uses(store: Store) -> None:
    put(store, Shelf())
    put(store, Shelf(files={"model.safetensors": WEIGHTS}), planned(_weights_only(), version="2"))
    removed = install.remove(FOLDER, store)
    assert removed.freed_bytes == len(FILES["config.json"]) + len(FILES["notes/readme.md"])
    assert removed.kept == {"referenced": 1}
    assert not (store.root / FOLDER).exists()
    other = store.root / "sdxl-checkpoint/name@2/model.safetensors"
    assert other.read_bytes() == WEIGHTS


def _weights_only() -> Shelf:
    return Shelf(files={"model.safetensors": WEIGHTS})


def test_a_dry_run_tells_the_same_and_removes_nothing(store: Store) -> None:
    put(store, Shelf())
    put(store, _weights_only(), planned(_weights_only(), version="2"))
    before = tree(store.root)
    told = install.remove(FOLDER, store, dry_run=True)
    assert tree(store.root) == before
    done = install.remove(FOLDER, store)
    assert (told.freed_bytes, told.blobs, told.kept) == (done.freed_bytes, done.blobs, done.kept)
    assert (told.dry_run, done.dry_run) == (True, False)


def test_the_last_model_takes_everything_with_it(store: Store) -> None:
    put(store, Shelf())
    assert install.remove(FOLDER, store).freed_bytes == sum(map(len, FILES.values()))
    assert tree(store.root) == []


def test_an_open_file_outlives_its_model(store: Store) -> None:
    put(store, Shelf())
    with (store.root / FOLDER / "model.safetensors").open("rb") as running:
        install.remove(FOLDER, store)
        assert running.read() == WEIGHTS


def test_a_model_with_a_damaged_descriptor_can_be_removed(store: Store) -> None:
    put(store, Shelf())
    (store.root / FOLDER / "model.json").write_text("{")
    removed = install.remove(FOLDER, store)
    assert removed.freed_bytes == 0
    assert not (store.root / FOLDER).exists()
    assert len(store.collect(Terms(grace_s=0)).blobs) == len(FILES)


@pytest.mark.parametrize("dry_run", [False, True])
def test_removing_what_is_not_there_is_an_error(store: Store, dry_run: bool) -> None:
    with pytest.raises(NotFound):
        install.remove(FOLDER, store, dry_run=dry_run)
