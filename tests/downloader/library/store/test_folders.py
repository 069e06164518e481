"""Folders of links: they appear whole, show the right bytes, and stay inside the root."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from downloader.library.errors import (
    AlreadyInstalled,
    InvalidFile,
    NotFound,
    Refused,
    UnsafeName,
)
from downloader.library.store import How, Store, building, durability
from downloader.library.store.folders import Folder
from tests.downloader.library.store.world import computed, keep, show, survives, tree

pytestmark = pytest.mark.pure

ONE, TWO = b"one file", b"another file"
FOLDER = "lora/name@1"


def names(folder: Path) -> list[str]:
    """Nothing, where there is no such folder."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refusing(code: int) -> Callable[..., None]:
    def refuse(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("code", sorted(durability.UNSUPPORTED))
def test_without_hard_links_there_are_relative_symlinks(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int, tmp_path: Path
) -> None:
    sha256 = keep(store, ONE)
    monkeypatch.setattr(durability, "link", refusing(code))
    show(store, FOLDER, {"deep/down/a.bin": sha256})
    store.root.rename(tmp_path / "moved")
    shown = tmp_path / "moved" / FOLDER / "deep/down/a.bin"
    assert not shown.readlink().is_absolute()
    assert shown.read_bytes() == ONE


def test_without_any_links_there_are_verified_read_only_copies(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = keep(store, ONE)
    monkeypatch.setattr(durability, "link", refusing(errno.EPERM))
    monkeypatch.setattr(durability, "symlink", refusing(errno.EOPNOTSUPP))
    show(store, FOLDER, {"a.bin": sha256})
    shown = store.root / FOLDER / "a.bin"
    assert shown.read_bytes() == ONE
    assert shown.stat().st_mode & 0o777 == 0o444
    assert store.placed(PurePosixPath(FOLDER), "a.bin", sha256, len(ONE)) is How.COPY


def test_a_damaged_blob_is_not_copied(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = keep(store, ONE)
    store.blob(sha256).chmod(0o644)
    store.blob(sha256).write_bytes(b"two file")
    monkeypatch.setattr(durability, "link", refusing(errno.EPERM))
    monkeypatch.setattr(durability, "symlink", refusing(errno.EPERM))
    with pytest.raises(InvalidFile, match="damaged"):
        store.place(sha256, store.root / "at")
    assert not (store.root / "at").exists()


def test_where_they_work_links_are_hard(store: Store) -> None:
    sha256 = keep(store, ONE)
    assert store.place(sha256, store.root / "lora" / "at") is How.HARDLINK
    assert (store.root / "lora" / "at").samefile(store.blob(sha256))


def test_the_same_bytes_in_three_folders_use_the_disk_once(store: Store) -> None:
    sha256 = keep(store, ONE)
    shown = [show(store, f"lora/name@{at}", {"a.bin": sha256}) for at in range(3)]
    files = {(store.root / folder / "a.bin").stat().st_ino for folder in shown}
    assert files == {store.blob(sha256).stat().st_ino}


def test_a_blob_that_is_missing_cannot_be_shown(store: Store) -> None:
    with pytest.raises(NotFound, match="Download"):
        show(store, FOLDER, {"a.bin": computed(ONE).sha256})
    assert tree(store.root) == []


def test_other_content_does_not_replace_unless_asked(store: Store) -> None:
    one, two = keep(store, ONE), keep(store, TWO)
    show(store, FOLDER, {"a.bin": one})
    with pytest.raises(AlreadyInstalled):
        show(store, FOLDER, {"b.bin": two})
    assert (store.root / FOLDER / "a.bin").read_bytes() == ONE
    show(store, FOLDER, {"b.bin": two}, replace=True)
    assert names(store.root / FOLDER) == ["b.bin", "model.json"]
    assert names(store.root / ".trash") == []


def test_there_is_always_a_model_while_another_takes_its_place(store: Store) -> None:
    one, two = keep(store, ONE), keep(store, TWO)
    show(store, FOLDER, {"one": one})
    over = threading.Event()
    seen: set[bool] = set()

    def look() -> None:
        while not over.is_set():
            seen.add((store.root / FOLDER / "model.json").exists())

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(30):
        show(store, FOLDER, {"two": two}, replace=True)
        show(store, FOLDER, {"one": one}, replace=True)
    over.set()
    watcher.join()
    assert seen == {True}


def test_a_folder_is_replaced_where_names_cannot_be_exchanged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "_renameat2", lambda: None)
    show(store, FOLDER, {"one": keep(store, ONE)})
    show(store, FOLDER, {"two": keep(store, TWO)}, replace=True)
    assert names(store.root / FOLDER) == ["model.json", "two"]
    assert names(store.root / ".trash") == []


def test_a_folder_being_deleted_is_never_seen_in_part(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(store, FOLDER, {"a.bin": keep(store, ONE)})

    def look(folder: int, name: str) -> None:
        assert not (store.root / FOLDER).exists()

    monkeypatch.setattr(durability, "delete_tree", look)
    assert store.remove_folder(PurePosixPath(FOLDER))
    assert not (store.root / "lora").exists()


def test_removing_what_is_not_there_says_so(store: Store) -> None:
    assert not store.remove_folder(PurePosixPath(FOLDER))


def test_a_kind_whose_folder_went_just_now_comes_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = keep(store, ONE), keep(store, TWO)
    show(store, FOLDER, {"a.bin": one})
    look = building._refuse_other_spelling

    def remove_the_other(parent: Folder, name: str) -> None:
        monkeypatch.setattr(building, "_refuse_other_spelling", look)
        store.remove_folder(PurePosixPath(FOLDER))

    monkeypatch.setattr(building, "_refuse_other_spelling", remove_the_other)
    show(store, "lora/other@1", {"b.bin": two})
    assert (store.root / "lora/other@1/b.bin").read_bytes() == TWO


@pytest.mark.parametrize(
    "folder",
    [
        "lora",
        "../a/b",
        "/etc/cron.d",
        ".staging/x",
        "blobs/x",
        "BLOBS/x",
        ".locks/x",
        "a/../b",
        "a/./b/..",
    ],
)
def test_folders_stay_inside_and_out_of_the_stores_own(store: Store, folder: str) -> None:
    with pytest.raises(UnsafeName):
        show(store, folder, {})
    assert tree(store.root.parent) == []


@pytest.mark.parametrize("path", ["../a", "/a", "a//b", "a/../../b", "", ".", "a\0b"])
def test_files_stay_inside_their_folder(store: Store, path: str) -> None:
    sha256 = keep(store, ONE)
    with pytest.raises(UnsafeName):
        show(store, FOLDER, {path: sha256})


def test_two_names_that_the_disk_takes_for_one_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without upper and lower case, played by its one effect: the name is taken."""
    link = durability.link

    def folded(source: int, old: str, target: int, new: str) -> None:
        link(source, old, target, new.lower())

    sha256 = keep(store, ONE)
    monkeypatch.setattr(durability, "link", folded)
    with pytest.raises((UnsafeName, Refused)):
        show(store, FOLDER, {"a.bin": sha256, "A.bin": sha256})
    assert not (store.root / FOLDER).exists()


def test_a_folder_that_answers_to_another_spelling_is_not_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = keep(store, ONE)
    show(store, "lora/Name@1", {"a.bin": sha256})
    look = Folder.look

    def folded(self: Folder, name: str) -> os.stat_result | None:
        return look(self, "Name@1" if name == "name@1" else name)

    monkeypatch.setattr(Folder, "look", folded)
    with pytest.raises(AlreadyInstalled, match="'Name@1'"):
        show(store, "lora/name@1", {"a.bin": sha256}, replace=True)
    assert names(store.root / "lora") == ["Name@1"]


def test_a_kind_that_is_a_link_elsewhere_is_refused(store: Store, tmp_path: Path) -> None:
    sha256 = keep(store, ONE)
    (tmp_path / "elsewhere").mkdir()
    (store.root / "lora").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="a link"):
        show(store, FOLDER, {"a.bin": sha256})
    assert tree(tmp_path / "elsewhere") == []


def test_a_blob_that_is_a_link_is_not_shown(store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    sha256 = keep(store, ONE)
    store.blob(sha256).unlink()
    store.blob(sha256).symlink_to(victim)
    with pytest.raises(Refused, match="a link"):
        show(store, FOLDER, {"a.bin": sha256})
    assert victim.stat().st_nlink == 1


@pytest.mark.parametrize("replace", [False, True])
def test_a_kill_at_any_step_leaves_a_whole_folder_and_no_debris_for_long(
    store: Store, replace: bool
) -> None:
    one, two = keep(store, ONE), keep(store, TWO)
    steps, done = 0, False
    final = PurePosixPath(FOLDER)
    while not done:
        steps += 1
        store.remove_folder(final)
        if replace:
            show(store, FOLDER, {"old": one})
        done = survives(lambda: _show_both(store.root, one, two), killed_before=steps)
        seen = names(store.root / final)
        assert seen in ([], ["model.json", "old"], ["a", "model.json", "sub"]), steps
        assert seen or not replace, steps
        show(store, FOLDER, {"a": one, "sub/b": two}, replace=True)
        blobs = [f"blobs/sha256/{sha256[:2]}/{sha256}" for sha256 in (one, two)]
        shown = [f"{FOLDER}/{name}" for name in ("a", "model.json", "sub/b")]
        assert tree(store.root) == sorted([*blobs, *shown]), steps
    assert steps > 20


def _show_both(root: Path, one: str, two: str) -> None:
    show(Store(root), FOLDER, {"a": one, "sub/b": two}, replace=True)


def test_everything_is_flushed_before_it_can_be_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = keep(store, ONE)
    with store.claim([sha256]) as claim, store.build(PurePosixPath(FOLDER), claim) as made:
        made.place(sha256, "deep/down/a.bin")
        made.write("model.json", b"{}")
        order: list[str] = []
        sync, rename = durability.sync, durability.rename

        def note_sync(file: int) -> None:
            order.append(str(Path(f"/proc/self/fd/{file}").readlink()))
            sync(file)

        def note_rename(source: int, old: str, target: int, new: str) -> None:
            rename(source, old, target, new)
            order.append(f"-> {new}")

        monkeypatch.setattr(durability, "sync", note_sync)
        monkeypatch.setattr(durability, "rename", note_rename)
        made.publish()
    told = [place.rpartition("/")[2] for place in order]
    assert told[:2] == ["down", "deep"]
    assert told[2].startswith("build-")
    assert order[-2] == "-> name@1"
    assert order[-1] == str(store.root / "lora")
