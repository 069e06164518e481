"""Which folders are taken for models, and what they are called."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath

import pytest

from downloader.library import layouts
from downloader.library.errors import NotFound, Refused, StoreFailed
from downloader.library.layouts import Candidate, Standing, Stray
from downloader.library.store.folders import Folder

pytestmark = pytest.mark.pure


def put(root: Path, *paths: str) -> None:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"x")


def found(root: Path, start: str = ".") -> list[layouts.Found]:
    return list(layouts.look(root, PurePosixPath(start)))


def models(root: Path) -> list[tuple[str, str, str, list[str]]]:
    return [
        (one.author, one.name, one.revision, sorted(seen.path for seen in one.files))
        for one in found(root)
        if isinstance(one, Candidate)
    ]


def test_a_folder_with_a_description_is_one_model_with_all_below_it(tmp_path: Path) -> None:
    put(tmp_path, "acme/xl/model_index.json", "acme/xl/unet/config.json", "acme/xl/unet/a.bin")
    paths = ["model_index.json", "unet/a.bin", "unet/config.json"]
    assert models(tmp_path) == [("acme", "xl", "main", paths)]


def test_the_third_level_is_the_revision_with_its_slashes_decoded(tmp_path: Path) -> None:
    put(tmp_path, "acme/xl/refs%2Fpr%2F1/config.json", "acme/xl/v2/config.json")
    assert [(name, revision) for _, name, revision, _ in models(tmp_path)] == [
        ("xl", "refs/pr/1"),
        ("xl", "v2"),
    ]


def test_the_folder_of_those_without_an_author_is_none(tmp_path: Path) -> None:
    put(tmp_path, "_/gpt2/main/config.json", "acme/xl/main/config.json")
    assert [(author, name) for author, name, _, _ in models(tmp_path)] == [
        ("", "gpt2"),
        ("acme", "xl"),
    ]


def test_a_revision_that_no_database_can_keep_is_named_as_its_folder(tmp_path: Path) -> None:
    put(tmp_path, "acme/xl/v%00/config.json")
    assert models(tmp_path)[0][2] == "v%00"


def test_files_of_weights_that_share_a_folder_are_each_a_model(tmp_path: Path) -> None:
    put(tmp_path, "loras/film.safetensors", "loras/grain.safetensors", "loras/notes.doc")
    assert models(tmp_path) == [
        ("loras", "film", "main", ["film.safetensors"]),
        ("loras", "grain", "main", ["grain.safetensors"]),
    ]
    assert Stray("loras/notes.doc", "is part of no model") in found(tmp_path)


def test_one_file_of_weights_makes_its_folder_a_model(tmp_path: Path) -> None:
    put(tmp_path, "acme/tiny/tiny.gguf", "acme/tiny/notes.txt")
    assert models(tmp_path) == [("acme", "tiny", "main", ["notes.txt", "tiny.gguf"])]


def test_deeper_down_the_last_two_levels_name_a_model(tmp_path: Path) -> None:
    put(tmp_path, "archive/2024/acme/xl/config.json")
    assert models(tmp_path)[0][:3] == ("acme", "xl", "main")


def test_a_folder_by_commit_or_with_the_clients_notes_came_from_the_hub(tmp_path: Path) -> None:
    put(tmp_path, f"a/x/{'0a' * 20}/config.json", "a/y/config.json", "a/z/config.json")
    put(tmp_path, "a/y/.cache/huggingface/download/config.json.metadata")
    origins = {one.name: one.from_hub for one in found(tmp_path) if isinstance(one, Candidate)}
    assert origins == {"x": True, "y": True, "z": False}


def test_what_is_the_stores_own_is_not_looked_into(tmp_path: Path) -> None:
    put(tmp_path, "blobs/sha256/ab/x.safetensors", ".staging/a.safetensors", ".hidden/config.json")
    put(tmp_path, "lora/film@1/model.json", "lora/film@1/film.safetensors")
    put(tmp_path, "acme/xl/main/.dreamforge.json", "acme/xl/main/config.json")
    assert found(tmp_path) == [Standing(PurePosixPath("acme/xl/main"))]


def test_views_within_a_model_are_not_files_of_it(tmp_path: Path) -> None:
    put(
        tmp_path, "acme/xl/config.json", "acme/xl/main/.dreamforge.json", "acme/xl/main/config.json"
    )
    assert models(tmp_path) == [("acme", "xl", "main", ["config.json"])]
    assert Standing(PurePosixPath("acme/xl/main")) in found(tmp_path)


def test_links_and_pipes_are_told_of_and_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "acme/xl/config.json")
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    put(outside, "secret.safetensors")
    (tmp_path / "acme/xl/secret.safetensors").symlink_to(outside / "secret.safetensors")
    (tmp_path / "acme/xl/more").symlink_to(outside)
    os.mkfifo(tmp_path / "acme/xl/pipe")
    [one] = found(tmp_path)
    assert isinstance(one, Candidate)
    assert [seen.path for seen in one.files] == ["config.json"]
    link = "is a link, which is not followed"
    assert one.left == {"secret.safetensors": link, "more": link, "pipe": "is no file"}


def test_a_name_that_is_not_text_is_left(tmp_path: Path) -> None:
    put(tmp_path, "acme/xl/config.json")
    (tmp_path / "acme/xl" / os.fsdecode(b"\xff.safetensors")).write_bytes(b"x")
    [one] = found(tmp_path)
    assert isinstance(one, Candidate)
    assert list(one.left.values()) == ["has a name that no database can keep"]


@pytest.mark.parametrize(
    "path", ["../outside", "/etc", "a/../../b", "blobs", ".staging", "blobs/sha256", "a//b/../.."]
)
def test_a_folder_outside_or_of_the_stores_own_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(Refused):
        layouts.place(tmp_path, path)


def test_a_folder_may_be_given_whole(tmp_path: Path) -> None:
    assert layouts.place(tmp_path, str(tmp_path / "acme/xl")) == PurePosixPath("acme/xl")
    assert layouts.place(tmp_path, str(tmp_path)) == PurePosixPath()


def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder acme"):
        found(tmp_path, "acme")


@pytest.mark.parametrize("start", ["acme/xl/main/unet", "lora/film@1/parts"])
def test_a_part_of_the_stores_own_folders_is_no_model(tmp_path: Path, start: str) -> None:
    put(tmp_path, "acme/xl/main/.dreamforge.json", "acme/xl/main/unet/config.json")
    put(tmp_path, "lora/film@1/model.json", "lora/film@1/parts/config.json")
    with pytest.raises(Refused, match="the store's own"):
        found(tmp_path, start)


def test_a_link_is_no_folder_to_scan(tmp_path: Path) -> None:
    (tmp_path / "acme").symlink_to(tmp_path.parent)
    with pytest.raises(Refused):
        found(tmp_path, "acme")


def closed(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """Folders of this name cannot be opened."""
    opened = Folder._open_folder

    def refuse(self: Folder, asked: str) -> int:
        if asked == name:
            raise OSError(code, os.strerror(code), asked)
        return opened(self, asked)

    monkeypatch.setattr(Folder, "_open_folder", refuse)


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOENT, errno.ELOOP])
def test_a_folder_that_cannot_be_opened_leaves_the_rest_to_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    put(tmp_path, "sealed/1", "acme/xl/config.json", "acme/xl/a.bin", "acme/xl/sealed/2")
    closed(monkeypatch, "sealed", code)
    assert models(tmp_path) == [("acme", "xl", "main", ["a.bin", "config.json"])]
    why = f"cannot be looked at: {os.strerror(code)}"
    assert Stray("sealed", why) in found(tmp_path)
    model = next(one for one in found(tmp_path) if isinstance(one, Candidate))
    assert model.left == {"sealed": why}


def test_a_disk_that_fails_ends_the_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "acme/xl/config.json", "other/1")
    closed(monkeypatch, "other", errno.EIO)
    with pytest.raises(StoreFailed):
        found(tmp_path)
