"""Files of this machine: copied from below the open folders, and from nowhere else."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from downloader.library.checksums import Trust
from downloader.library.errors import (
    Canceled,
    InvalidRef,
    NoSpace,
    NotFound,
    Refused,
    StoreFailed,
)
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.sources.base import Resolved
from downloader.library.sources.local import LocalFiles
from downloader.library.transfer import Engine, Fetched, Target, TransferOptions
from downloader.library.watch import Control, FileProgress, FileState, Observer

pytestmark = pytest.mark.pure

BYTES = bytes(range(256)) * 10_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The open folder, with a diffusers layout and a single file; beside it a secret."""
    root = tmp_path / "open"
    (root / "pipeline" / "unet").mkdir(parents=True)
    (root / "pipeline" / "model_index.json").write_text("{}")
    (root / "pipeline" / "unet" / "weights.safetensors").write_bytes(BYTES)
    (root / "one.safetensors").write_bytes(BYTES)
    (tmp_path / "secret.safetensors").write_bytes(b"secret")
    return root


@pytest.fixture
def local(root: Path, client: Client) -> LocalFiles:
    return LocalFiles(client, {"roots": str(root)})


class Watching(Observer):
    def __init__(self, at_each: Callable[[FileProgress], object] = lambda _: None) -> None:
        self.seen: list[FileProgress] = []
        self._at_each = at_each

    def file(self, progress: FileProgress) -> None:
        self.seen.append(progress)
        self._at_each(progress)


def ref(path: object, *selection: str) -> Ref:
    return Ref("file", str(path), None, selection)


def fetch(
    local: LocalFiles,
    resolved: Resolved,
    into: Path,
    control: Control | None = None,
    observer: Observer | None = None,
) -> dict[str, Fetched]:
    targets = {
        file.path: Target(into / f"{number}.part") for number, file in enumerate(resolved.files)
    }
    engine = Engine(local.client, TransferOptions())
    return dict(
        local.fetch(engine, resolved, targets, control or Control(), observer or Observer())
    )


# Looking


def test_a_file_is_one_file(local: LocalFiles, root: Path, control: Control) -> None:
    resolved = local.resolve(ref(root / "one.safetensors"), control)
    (file,) = resolved.files
    assert (file.path, file.size, file.digest, file.type) == (
        "one.safetensors",
        len(BYTES),
        None,
        "model",
    )
    assert resolved.name == "one"
    assert resolved.source_uri == str(ref(root / "one.safetensors"))


def test_a_folder_is_all_that_lies_below_it(
    local: LocalFiles, root: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "pipeline"), control)
    assert [file.path for file in resolved.files] == [
        "model_index.json",
        "unet/weights.safetensors",
    ]
    assert resolved.name == "pipeline"


def test_the_version_changes_when_a_file_does_and_only_then(
    local: LocalFiles, root: Path, control: Control
) -> None:
    before = local.resolve(ref(root / "pipeline"), control)
    again = local.resolve(ref(root / "pipeline"), control)
    (root / "pipeline" / "model_index.json").write_text('{"changed": true}')
    after = local.resolve(ref(root / "pipeline"), control)
    assert before.commit == again.commit != after.commit
    assert before.version == before.commit[:12]


def test_without_an_open_folder_nothing_is_allowed(
    client: Client, root: Path, control: Control
) -> None:
    with pytest.raises(Refused, match=r"No folder is open .*DF_DOWNLOAD_FILE_ROOTS"):
        LocalFiles(client, {}).resolve(ref(root / "one.safetensors"), control)


def test_several_folders_may_be_open(
    client: Client, root: Path, tmp_path: Path, control: Control
) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "a.safetensors").write_bytes(b"x")
    local = LocalFiles(client, {"roots": f"{root}, {tmp_path / 'second'}"})
    assert local.resolve(ref(tmp_path / "second" / "a.safetensors"), control).files
    assert local.resolve(ref(root / "one.safetensors"), control).files


def test_a_root_that_is_not_absolute_is_refused(client: Client) -> None:
    with pytest.raises(Refused, match="absolute folders"):
        LocalFiles(client, {"roots": "models"})


@pytest.mark.parametrize(
    "path", ["one.safetensors", "", "{root}/../secret.safetensors", "{root}/a\0b"]
)
def test_a_path_that_is_not_absolute_and_plain_is_no_reference(
    local: LocalFiles, root: Path, control: Control, path: str
) -> None:
    with pytest.raises(InvalidRef):
        local.resolve(ref(path.format(root=root)), control)


def test_what_lies_outside_is_refused_in_the_same_words_there_or_not(
    local: LocalFiles, tmp_path: Path, control: Control
) -> None:
    with pytest.raises(Refused, match="not below a folder that is open") as there:
        local.resolve(ref(tmp_path / "secret.safetensors"), control)
    with pytest.raises(Refused, match="not below a folder that is open") as absent:
        local.resolve(ref(tmp_path / "absent.safetensors"), control)
    assert there.value.message.replace("secret", "absent") == absent.value.message


def test_a_neighbour_whose_name_begins_alike_is_outside(
    local: LocalFiles, root: Path, control: Control
) -> None:
    neighbour = root.with_name("open-not")
    neighbour.mkdir()
    (neighbour / "a.safetensors").write_bytes(b"x")
    with pytest.raises(Refused, match="not below"):
        local.resolve(ref(neighbour / "a.safetensors"), control)


def test_what_is_absent_below_an_open_folder_is_not_found(
    local: LocalFiles, root: Path, control: Control
) -> None:
    with pytest.raises(NotFound, match="nothing at"):
        local.resolve(ref(root / "absent"), control)


def test_an_empty_folder_holds_no_model(local: LocalFiles, root: Path, control: Control) -> None:
    (root / "empty").mkdir()
    with pytest.raises(NotFound, match="no files"):
        local.resolve(ref(root / "empty"), control)


# Links and odd files


def test_a_link_out_of_the_open_folders_is_refused(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    (root / "link.safetensors").symlink_to(tmp_path / "secret.safetensors")
    with pytest.raises(Refused, match="not below"):
        local.resolve(ref(root / "link.safetensors"), control)


def test_a_link_out_that_lies_in_a_folder_is_refused(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    (root / "pipeline" / "link.safetensors").symlink_to(tmp_path / "secret.safetensors")
    with pytest.raises(Refused, match="leads out"):
        local.resolve(ref(root / "pipeline"), control)


def test_a_linked_folder_on_the_way_out_is_refused(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    (root / "way").symlink_to(tmp_path)
    with pytest.raises(Refused, match="not below"):
        local.resolve(ref(root / "way" / "secret.safetensors"), control)


def test_a_link_that_stays_below_is_the_file_it_leads_to(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    (root / "snapshot").mkdir()
    (root / "snapshot" / "w.safetensors").symlink_to("../one.safetensors")
    resolved = local.resolve(ref(root / "snapshot"), control)
    fetched = fetch(local, resolved, tmp_path / "parts")
    assert [file.path for file in resolved.files] == ["w.safetensors"]
    assert fetched["w.safetensors"].part.read_bytes() == BYTES


def test_links_in_a_circle_are_no_files(local: LocalFiles, root: Path, control: Control) -> None:
    (root / "pipeline" / "round").symlink_to("round")
    with pytest.raises(Refused, match="leads out"):
        local.resolve(ref(root / "pipeline"), control)


@pytest.mark.timeout(10)
def test_a_pipe_is_no_file(local: LocalFiles, root: Path, control: Control) -> None:
    os.mkfifo(root / "pipeline" / "pipe.safetensors")
    with pytest.raises(Refused, match="not a regular file"):
        local.resolve(ref(root / "pipeline"), control)
    with pytest.raises(Refused, match="neither a regular file nor a folder"):
        local.resolve(ref(root / "pipeline" / "pipe.safetensors"), control)


def test_a_folder_deeper_than_any_model_is_refused(
    local: LocalFiles, root: Path, control: Control
) -> None:
    deep = root.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    (deep / "a.safetensors").write_bytes(b"x")
    with pytest.raises(Refused, match="32 folders deep"):
        local.resolve(ref(root / "d"), control)


# Copying


def test_a_copy_has_the_bytes_and_their_digest_and_the_original_stays(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "pipeline"), control)
    observer = Watching()
    fetched = fetch(local, resolved, tmp_path / "parts", observer=observer)
    weights = fetched["unet/weights.safetensors"]
    assert weights.part.read_bytes() == BYTES
    assert weights.computed.sha256 == hashlib.sha256(BYTES).hexdigest()
    assert weights.received == 0
    assert local.verify(resolved.files[1], weights.computed) is Trust.LOCAL
    assert (root / "pipeline" / "unet" / "weights.safetensors").read_bytes() == BYTES
    assert observer.seen[-1] == FileProgress(
        "unet/weights.safetensors", FileState.DONE, len(BYTES), len(BYTES), 0
    )


def test_what_an_earlier_copy_left_behind_is_written_over(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "0.part").write_bytes(b"x" * (len(BYTES) + 10))
    resolved = local.resolve(ref(root / "one.safetensors"), control)
    fetched = fetch(local, resolved, tmp_path / "parts")
    assert fetched["one.safetensors"].part.read_bytes() == BYTES


def test_a_file_that_changed_since_it_was_looked_at_is_refused(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "one.safetensors"), control)
    (root / "one.safetensors").write_bytes(b"other")
    with pytest.raises(Refused, match="has changed"):
        fetch(local, resolved, tmp_path / "parts")
    assert (tmp_path / "parts" / "0.part").stat().st_size == 0


def test_a_file_that_changes_while_it_is_copied_is_refused(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "one.safetensors"), control)

    def grow(progress: FileProgress) -> None:
        with (root / "one.safetensors").open("ab") as file:
            file.write(b"!")

    with pytest.raises(Refused, match="has changed"):
        fetch(local, resolved, tmp_path / "parts", observer=Watching(grow))


def test_a_link_put_in_a_files_place_after_the_look_is_not_followed(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "one.safetensors"), control)
    (root / "one.safetensors").unlink()
    (root / "one.safetensors").symlink_to(tmp_path / "secret.safetensors")
    with pytest.raises(Refused, match="cannot be read"):
        fetch(local, resolved, tmp_path / "parts")


def test_a_link_put_in_a_folders_place_after_the_look_is_not_followed(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "pipeline" / "unet"), control)
    (root / "pipeline" / "unet").rename(tmp_path / "unet")
    (root / "pipeline" / "unet").symlink_to(tmp_path / "unet")
    with pytest.raises(Refused, match="cannot be read"):
        fetch(local, resolved, tmp_path / "parts")


def test_a_stop_in_the_middle_ends_the_copy(
    local: LocalFiles, root: Path, tmp_path: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "one.safetensors"), control)

    def stop(progress: FileProgress) -> None:
        if progress.done:
            control.cancel()

    observer = Watching(stop)
    with pytest.raises(Canceled):
        fetch(local, resolved, tmp_path / "parts", control, observer)
    assert 0 < (tmp_path / "parts" / "0.part").stat().st_size < len(BYTES)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, NoSpace), (errno.EDQUOT, NoSpace), (errno.EROFS, StoreFailed)],
)
def test_a_disk_that_refuses_is_named(
    local: LocalFiles,
    root: Path,
    tmp_path: Path,
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[Exception],
) -> None:
    def refuse(handle: int, data: object) -> int:
        raise OSError(code, os.strerror(code))

    resolved = local.resolve(ref(root / "one.safetensors"), control)
    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(kind):
        fetch(local, resolved, tmp_path / "parts")


def test_a_descriptor_is_made_of_what_is_known(
    local: LocalFiles, root: Path, control: Control
) -> None:
    resolved = local.resolve(ref(root / "one.safetensors"), control)
    descriptor = local.to_model_descriptor(resolved)
    assert descriptor.kind == "other"
    assert descriptor.provenance["source"] == "file"
    assert descriptor.source_uri == resolved.source_uri
