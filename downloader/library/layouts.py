"""What lies below the models root that nobody of ours put there: which folders are models, and what
they are called. Names and sizes only; no file is read, no link is followed."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from downloader.library.errors import NotFound, UnsafeName, WrongPlace
from downloader.library.names import MOST_LEVELS, safe_path
from downloader.library.refs import NO_AUTHOR
from downloader.library.sources.filetypes import format_of
from downloader.library.store.failures import told
from downloader.library.store.folders import Folder
from downloader.library.store.layout import MODEL_DESCRIPTOR, OWN, REVISION_DESCRIPTOR
from registry.descriptors import CONTROL, UNSTORABLE

DEFAULT_REVISION = "main"
SHAPES = frozenset({"model_index.json", "config.json"})
DOCUMENTS = ("readme", "license", "licence")
CLIENT_NOTES = (".cache", "huggingface", "download")  # what the hub's own client leaves behind
COMMIT_DIGITS = 40
BLOB_LINK = re.compile(r"(?:\.\./)*blobs/sha256/[0-9a-f]{2}/[0-9a-f]{64}")
# A folder that others closed to us, took away or replaced by a link says nothing of the rest.
PASSED_OVER = frozenset({errno.EACCES, errno.EPERM, errno.ENOENT, errno.ELOOP, errno.ENOTDIR})
Parts = tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """A file as a look at its folder shows it; `path` is below the folder of its candidate."""

    path: str
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str, found: os.stat_result) -> Seen:
        return cls(path, found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True)
class Candidate:
    """A model by its shape. `folder` is below the models root, `author`, `name` and `revision` are
    what its place says. `from_hub`: the place says that it came from Hugging Face. `alone`: files
    that lie in one folder with others, and are a model without them. `left`: what is no file of
    it, and why."""

    folder: PurePosixPath
    author: str
    name: str
    revision: str = DEFAULT_REVISION
    files: tuple[Seen, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    from_hub: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Standing:
    """A revision folder of the store's own."""

    folder: PurePosixPath


@dataclass(frozen=True)
class Stray:
    """A file that is part of no model; `path` is below the models root."""

    path: str
    why: str


Found = Candidate | Standing | Stray


def place(root: Path, text: str) -> PurePosixPath:
    """The folder that somebody asks to look at, below `root`: given from there, or whole.
    WrongPlace when it is outside, or the store's own."""
    path = Path(text)
    try:
        inside = path.relative_to(root) if path.is_absolute() else path
    except ValueError:
        raise WrongPlace("The folder must lie below the models root.") from None
    if str(inside) == ".":
        return PurePosixPath()
    try:
        safe = PurePosixPath(safe_path(str(inside)))
    except UnsafeName as unsafe:
        raise WrongPlace(f"Not a folder below the models root: {unsafe.message}") from None
    if safe.parts[0].startswith(".") or safe.parts[0].casefold() in OWN:
        raise WrongPlace(f"{safe.parts[0]} is the store's own.")
    return safe


def look(root: Path, start: PurePosixPath) -> Iterator[Found]:
    """Everything below `start`, a folder after the other. NotFound when it is not there; WrongPlace
    when a link stands in the way."""
    with told("looking at", root / start):
        try:
            top = Folder.at(root)
        except FileNotFoundError:
            raise NotFound(f"The models root {root} is not there.") from None
        with top:
            _refuse_inside(top, start.parts)
            try:
                folder = top.sub(*start.parts)
            except FileNotFoundError:
                raise NotFound(f"There is no folder {start} below the models root.") from None
            with folder:
                yield from _look(folder, start.parts)


def _refuse_inside(top: Folder, parts: Parts) -> None:
    """What lies in a folder of the store's own is no model by itself."""
    for depth, descriptor in ((2, MODEL_DESCRIPTOR), (3, REVISION_DESCRIPTOR)):
        if len(parts) > depth and _holds(top, parts[:depth], descriptor):
            raise WrongPlace(f"{'/'.join(parts[:depth])} is the store's own. Scan all of it.")


def _holds(top: Folder, parts: Parts, name: str) -> bool:
    try:
        with top.sub(*parts) as folder:
            return folder.is_file(name)
    except FileNotFoundError:
        return False


def whole(root: Path, folder: PurePosixPath) -> Candidate:
    """The folder as one model, whatever is in it."""
    with (
        told("looking at", root / folder),
        Folder.at(root) as top,
        top.sub(*folder.parts) as opened,
    ):
        return _candidate(opened, folder.parts, _listed(opened, folder.parts))


@dataclass(frozen=True)
class _Listed:
    files: Mapping[str, Seen]
    folders: tuple[str, ...]
    left: Mapping[str, str]


def _listed(folder: Folder, parts: Parts) -> _Listed:
    files: dict[str, Seen] = {}
    folders: list[str] = []
    left: dict[str, str] = {}
    for name in folder.names():
        found = folder.look(name)
        if found is None or _is_own(folder, name, found, parts):
            continue
        if why := _unusable(name, found):
            left[name] = why
        elif stat.S_ISDIR(found.st_mode):
            folders.append(name)
        else:
            files[name] = Seen.of(name, found)
    return _Listed(files, tuple(folders), left)


def _is_own(folder: Folder, name: str, found: os.stat_result, parts: Parts) -> bool:
    """Hidden folders hold what programs note for themselves; a link to a blob is ours."""
    if stat.S_ISLNK(found.st_mode):
        return BLOB_LINK.fullmatch(os.readlink(name, dir_fd=folder.descriptor)) is not None
    if stat.S_ISDIR(found.st_mode):
        return name.startswith(".") or (not parts and name.casefold() in OWN)
    return name == REVISION_DESCRIPTOR


def _unusable(name: str, found: os.stat_result) -> str | None:
    if UNSTORABLE.search(name):
        return "has a name that no database can keep"
    if stat.S_ISLNK(found.st_mode):
        return "is a link, which is not followed"
    if not stat.S_ISDIR(found.st_mode) and not stat.S_ISREG(found.st_mode):
        return "is no file"
    return None


def _look(folder: Folder, parts: Parts) -> Iterator[Found]:
    if len(parts) == 3 and folder.is_file(REVISION_DESCRIPTOR):
        yield Standing(PurePosixPath(*parts))
        return
    if len(parts) == 2 and folder.is_file(MODEL_DESCRIPTOR):
        return  # an installed model: the registry looks after it
    listed = _listed(folder, parts)
    if parts and _is_one_model(listed.files):
        yield _candidate(folder, parts, listed)
        yield from _revisions_below(folder, parts, listed)
        return
    yield from _alone(parts, listed)
    if len(parts) >= MOST_LEVELS:
        yield Stray("/".join(parts), f"is more than {MOST_LEVELS} levels deep")
        return
    for name in listed.folders:
        try:
            with folder.sub(name) as below:
                yield from _look(below, (*parts, name))
        except OSError as error:
            yield Stray("/".join((*parts, name)), _why_closed(error))


def _why_closed(error: OSError) -> str:
    """The error again when it is the disk's own."""
    if error.errno not in PASSED_OVER:
        raise error
    return f"cannot be looked at: {error.strerror}"


def _revisions_below(folder: Folder, parts: Parts, listed: _Listed) -> Iterator[Standing]:
    """A model at `vendor/name` has the store's own views of it in its midst."""
    for name in listed.folders:
        if _is_view(folder, name, parts):
            yield Standing(PurePosixPath(*parts, name))


def _is_view(folder: Folder, name: str, parts: Parts) -> bool:
    if len(parts) != 2:
        return False
    try:
        with folder.sub(name) as below:
            return below.is_file(REVISION_DESCRIPTOR)
    except OSError as error:
        _why_closed(error)
        return False


def _is_one_model(files: Iterable[str]) -> bool:
    """By a file that describes it, or by one file of weights, or weights with words about them."""
    names = [name.casefold() for name in files]
    if SHAPES & set(names):
        return True
    weights = sum(1 for name in names if format_of(name))
    return weights == 1 or (weights > 1 and any(name.startswith(DOCUMENTS) for name in names))


def _candidate(folder: Folder, parts: Parts, listed: _Listed) -> Candidate:
    files, left = _below(folder, parts, listed)
    author, name, revision = _named(parts)
    return Candidate(
        folder=PurePosixPath(*parts),
        author="" if author == NO_AUTHOR else author,
        name=name,
        revision=revision,
        files=tuple(files),
        left=left,
        from_hub=_is_commit(revision) or _has_notes(folder),
    )


def _named(parts: Parts) -> tuple[str, str, str]:
    """`vendor/name[/revision]`; deeper down, where the way there says nothing, the last two."""
    if len(parts) == 1:
        return "", parts[0], DEFAULT_REVISION
    if len(parts) == 3:
        decoded = unquote(parts[2])
        return parts[0], parts[1], parts[2] if CONTROL.search(decoded) else decoded
    return parts[-2], parts[-1], DEFAULT_REVISION


def _is_commit(revision: str) -> bool:
    return len(revision) == COMMIT_DIGITS and set(revision) <= set("0123456789abcdef")


def _has_notes(folder: Folder) -> bool:
    try:
        with folder.sub(*CLIENT_NOTES):
            return True
    except OSError:
        return False


def _below(folder: Folder, parts: Parts, listed: _Listed) -> tuple[list[Seen], dict[str, str]]:
    """All files, also those of its folders, by their paths below it."""
    files, left = list(listed.files.values()), dict(listed.left)
    for name in listed.folders:
        here = (*parts, name)
        if _is_view(folder, name, parts):
            continue
        if len(here) > MOST_LEVELS:
            left[name] = f"is more than {MOST_LEVELS} levels deep"
            continue
        try:
            with folder.sub(name) as below:
                inner, inner_left = _below(below, here, _listed(below, here))
        except OSError as error:
            left[name] = _why_closed(error)
            continue
        files += [Seen(f"{name}/{f.path}", f.size, f.mtime_ns, f.inode) for f in inner]
        left |= {f"{name}/{path}": why for path, why in inner_left.items()}
    return files, left


def _alone(parts: Parts, listed: _Listed) -> Iterator[Found]:
    """Files of weights that share a folder, each a model; a file of another format with the same
    name goes with it."""
    by_stem: dict[str, list[Seen]] = defaultdict(list)
    for name, seen in listed.files.items():
        if format_of(name):
            by_stem[PurePosixPath(name).stem].append(seen)
        else:
            yield Stray("/".join((*parts, name)), "is part of no model")
    for stem, files in sorted(by_stem.items()):
        author = parts[-1] if parts else ""
        yield Candidate(PurePosixPath(*parts), author, stem, files=tuple(files), alone=True)
    for name, why in listed.left.items():
        yield Stray("/".join((*parts, name)), why)
