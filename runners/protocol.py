"""What parent and child say to each other: one JSON object a line, both ways, one version.

A line is `{"v": 1, "type": "Step", …fields}`. The parent writes to the child's standard input, the
child to a descriptor of its own, so that nothing a library prints can be taken for a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runners import values
from runners.errors import CODES, ProtocolError

VERSION = 1
LONGEST_LINE = 1_048_576
M = TypeVar("M")


@dataclass(frozen=True)
class ModelFiles:
    """Where a model lies. `sha256` tells one model from another, whatever its name."""

    path: str
    layout: str  # "diffusers": a folder; "single-file": a checkpoint
    sha256: str
    config_path: str | None = None  # what a checkpoint does not hold itself


@dataclass(frozen=True)
class EngineSettings:
    """How the engine uses its device; a preset decides."""

    dtype: str = "auto"
    attention: str = "auto"
    vae_tiling: bool = False
    vae_slicing: bool = False
    offload: str = "none"  # none, model, sequential
    compile: bool = False


@dataclass(frozen=True)
class Item:
    """One image of a request; without a seed it draws its own just before it starts."""

    index: int
    seed: int | None = None


@dataclass(frozen=True)
class Memory:
    """Bytes: of the device's allocator, and resident in the child."""

    allocated: int = 0
    reserved: int = 0
    peak: int = 0
    rss: int = 0


# Parent to child


@dataclass(frozen=True)
class Load:
    model: ModelFiles
    settings: EngineSettings


@dataclass(frozen=True)
class Draw:
    """`metadata` is embedded into each file, completed with the item's own seed."""

    id: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance: float
    scheduler: str
    format: str
    out_dir: str
    items: tuple[Item, ...]
    embed_metadata: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)
    signing_key: str = ""  # of this request alone; what an image says of itself is signed with it
    parallel: int = 1


@dataclass(frozen=True)
class Cancel:
    id: str


@dataclass(frozen=True)
class Bye:
    pass


# Child to parent


@dataclass(frozen=True)
class Hello:
    engine: str
    device: str
    pid: int


@dataclass(frozen=True)
class Loading:
    fraction: float


@dataclass(frozen=True)
class Loaded:
    seconds: float
    memory: Memory


@dataclass(frozen=True)
class ItemStarted:
    index: int
    seed: int


@dataclass(frozen=True)
class Step:
    """`step` of `steps` model evaluations, which some schedulers need more of than was asked."""

    index: int
    step: int
    steps: int


@dataclass(frozen=True)
class Finalizing:
    index: int


@dataclass(frozen=True)
class ItemDone:
    index: int
    seed: int
    path: str
    sha256: str
    pixels_sha256: str  # of the picture that a reader of the file sees
    size_bytes: int
    width: int
    height: int
    format: str
    seconds: float
    memory: Memory
    thumbnail_path: str | None = None  # a small WebP of it, unless that could not be made


@dataclass(frozen=True)
class Note:
    level: str
    code: str
    message: str


@dataclass(frozen=True)
class Done:
    memory: Memory


@dataclass(frozen=True)
class Canceled:
    pass


@dataclass(frozen=True)
class Failed:
    code: str
    message: str
    reason: str = ""
    detail: str = ""
    item_index: int | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ProtocolError(f"Failed.code: no such code {self.code!r}")


TO_CHILD = (Load, Draw, Cancel, Bye)
TO_PARENT = (
    Hello,
    Loading,
    Loaded,
    ItemStarted,
    Step,
    Finalizing,
    ItemDone,
    Note,
    Done,
    Canceled,
    Failed,
)
ToChild = Load | Draw | Cancel | Bye
ToParent = (
    Hello
    | Loading
    | Loaded
    | ItemStarted
    | Step
    | Finalizing
    | ItemDone
    | Note
    | Done
    | Canceled
    | Failed
)
_CHILD = {kind.__name__: kind for kind in TO_CHILD}
_PARENT = {kind.__name__: kind for kind in TO_PARENT}


def encode(message: ToChild | ToParent) -> bytes:
    """One line. ProtocolError when it would be too long to be read."""
    said = {"v": VERSION, "type": type(message).__name__, **values.to_json(message)}
    line = json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > LONGEST_LINE:
        raise ProtocolError(f"{type(message).__name__}: longer than {LONGEST_LINE} bytes")
    return line


def read_as_child(line: bytes) -> ToChild:
    message: ToChild = _decoded(line, _CHILD)
    return message


def read_as_parent(line: bytes) -> ToParent:
    message: ToParent = _decoded(line, _PARENT)
    return message


def _decoded(line: bytes, known: Mapping[str, Any]) -> Any:
    if len(line) > LONGEST_LINE:
        raise ProtocolError(f"a line longer than {LONGEST_LINE} bytes")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("a line that is no JSON") from None
    if not isinstance(said, dict):
        raise ProtocolError("a line that is no object")
    if (version := said.pop("v", None)) != VERSION:
        raise ProtocolError(f"speaks version {version!r}, not {VERSION}")
    name = said.pop("type", None)
    kind = known.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ProtocolError(f"a message of unknown type {name!r}")
    return values.from_json(kind, said)
