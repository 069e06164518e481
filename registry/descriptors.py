"""A model as `model.json` describes it: frozen values, read and written strictly. No I/O.

The file lies in the model's folder and the database mirrors it. It can come from another machine
or another hand, so reading it trusts nothing: paths stay below the folder, texts can be stored by
every database, and addresses carry neither a query nor a user's name and password.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from registry.errors import InvalidDescriptor
from registry.kinds import KINDS

FILE_NAME = "model.json"
SCHEMA_VERSION = 1
TRUST = ("unverified", "verified", "local", "mismatch", "overridden")
TRUSTED = frozenset({"verified", "local", "overridden"})
LONGEST_NAME = 255
LONGEST_URI = 2048
LONGEST_PATH = 1024
DEEPEST = 16
ADDRESS = re.compile(
    r"(?i)\b([a-z][a-z0-9+.-]{0,19}://)([^\s/?#@]*@)?([^\s?#\"'<>]*)(\?[^\s#\"'<>]*)?"
)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SCHEMA_DANGERS = frozenset({"$ref", "$dynamicRef", "pattern", "patternProperties"})
SHA256 = re.compile(r"[0-9a-f]{64}")
CHECKPOINT_HASH = re.compile(r"sha256:[0-9a-f]{64}")
SOURCE_DIGEST = re.compile(r"[a-z0-9-]{1,16}:[0-9a-f]{8,128}")

T = TypeVar("T")


@dataclass(frozen=True)
class InstalledFile:
    path: str  # below the model's folder
    sha256: str  # bare hex
    size: int
    trust: str
    source_digest: str | None = None  # "algorithm:hex", as the source published it

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "sha256": self.sha256,
            "size": self.size,
            "trust": self.trust,
            "source_digest": self.source_digest,
        }


@dataclass(frozen=True)
class Descriptor:
    """`local_path` is relative to the models root; empty as long as nothing is installed."""

    id: uuid.UUID
    name: str
    kind: str
    version: str
    checkpoint_hash: str | None
    source_uri: str
    local_path: str
    installed: bool
    enabled: bool
    parameters_schema: Mapping[str, Any]
    capabilities: Mapping[str, Any]
    files: tuple[InstalledFile, ...]
    schema_version: int = SCHEMA_VERSION
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Whoever makes one: no query string and nothing a database cannot keep gets in."""
        object.__setattr__(self, "source_uri", without_queries(self.source_uri))
        object.__setattr__(self, "provenance", _cleaned(dict(self.provenance), DEEPEST))

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "kind": self.kind,
            "version": self.version,
            "checkpoint_hash": self.checkpoint_hash,
            "source_uri": self.source_uri,
            "local_path": self.local_path,
            "installed": self.installed,
            "enabled": self.enabled,
            "parameters_schema": dict(self.parameters_schema),
            "capabilities": dict(self.capabilities),
            "files_json": [file.to_json() for file in self.files],
            "schema_version": self.schema_version,
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, data: object) -> Descriptor:
        """InvalidDescriptor names the part that is wrong. A key that is not known is left out: a
        later version of the same schema may have added it."""
        found = _Reader(data, "model.json")
        written = found.take("schema_version", _whole, SCHEMA_VERSION)
        if written > SCHEMA_VERSION:
            raise InvalidDescriptor(
                f"model.json is of schema version {written}, and this program knows "
                f"{SCHEMA_VERSION}: update it."
            )
        return cls(
            id=found.take("id", _uuid),
            name=found.take("name", _text),
            kind=found.take("kind", _text),
            version=found.take("version", _text),
            checkpoint_hash=found.take("checkpoint_hash", _optional(_text), None),
            source_uri=found.take("source_uri", _text),
            local_path=found.take("local_path", _text),
            installed=found.take("installed", _truth),
            enabled=found.take("enabled", _truth, False),
            parameters_schema=found.take("parameters_schema", _schema),
            capabilities=found.take("capabilities", _object),
            files=tuple(found.take("files_json", _files)),
            schema_version=written,
            provenance=found.take("provenance", _object, {}),
        ).checked()

    def checked(self) -> Descriptor:
        """Itself, if the registry can keep it; InvalidDescriptor otherwise."""
        for what, value, longest in (
            ("name", self.name, LONGEST_NAME),
            ("version", self.version, LONGEST_NAME),
            ("source_uri", self.source_uri, LONGEST_URI),
        ):
            _check_line(what, value, longest)
        _check(self.kind in KINDS, "kind", f"be one of {', '.join(KINDS)}")
        digest = self.checkpoint_hash
        fits = digest is None or CHECKPOINT_HASH.fullmatch(digest)
        _check(bool(fits), "checkpoint_hash", "be sha256: and 64 hex digits")
        _check(
            bool(self.local_path) or not self.installed,
            "local_path",
            "be given for what is installed",
        )
        if self.local_path:
            _check_path("local_path", self.local_path)
        _check_files(self.files)
        return replace(
            self,
            parameters_schema=_cleaned(dict(self.parameters_schema), DEEPEST),
            capabilities=_cleaned(dict(self.capabilities), DEEPEST),
        )


def without_queries(text: str) -> str:
    """`text` with each address in it cut to where it leads: a query or a user's part can be a
    signature or a password."""
    return ADDRESS.sub(r"\1\3", text)


def untrusted(files: Iterable[InstalledFile]) -> list[InstalledFile]:
    """Those that keep a model from being used."""
    return [file for file in files if file.trust not in TRUSTED]


def _check_files(files: tuple[InstalledFile, ...]) -> None:
    for at, file in enumerate(files):
        what = f"files_json[{at}]"
        _check_path(f"{what}.path", file.path)
        _check(bool(SHA256.fullmatch(file.sha256)), f"{what}.sha256", "be 64 lower-case hex digits")
        _check(file.size >= 0, f"{what}.size", "be 0 or more")
        _check(file.trust in TRUST, f"{what}.trust", f"be one of {', '.join(TRUST)}")
        digest = file.source_digest
        fits = digest is None or SOURCE_DIGEST.fullmatch(digest)
        _check(bool(fits), f"{what}.source_digest", "be an algorithm, a colon and hex digits")
    paths = [file.path for file in files]
    _check(len(set(paths)) == len(paths), "files_json", "name each path once")


def _keys(value: object, depth: int) -> set[str]:
    """Of all objects in it; what lies deeper than `depth` is never kept."""
    if not depth or not isinstance(value, Mapping | list | tuple):
        return set()
    own = set(map(str, value)) if isinstance(value, Mapping) else set()
    parts = value.values() if isinstance(value, Mapping) else value
    return own.union(*(_keys(part, depth - 1) for part in parts))


def _check_line(what: str, value: str, longest: int) -> None:
    _check(bool(value.strip()), what, "not be empty")
    _check(len(value) <= longest, what, f"have at most {longest} characters")
    _check(not CONTROL.search(value), what, "be one line without control characters")


def _check_path(what: str, value: str) -> None:
    """Relative, inside, and written in one way only."""
    _check_line(what, value, LONGEST_PATH)
    parts = value.split("/")
    inside = not ({"", ".", ".."} & set(parts)) and "\\" not in value
    _check(
        inside and not PurePosixPath(value).is_absolute(),
        what,
        "stay below the folder, written in the plainest way",
    )


def _check(holds: bool, what: str, rule: str) -> None:
    if not holds:
        raise InvalidDescriptor(f"{what} must {rule}.")


class _Reader:
    """Takes what is named from an object, each by the function that knows its type."""

    def __init__(self, data: object, named: str) -> None:
        if not isinstance(data, Mapping):
            raise InvalidDescriptor(f"{named} is not a JSON object.")
        self._data, self._named = data, named

    def take(self, key: str, parse: Callable[[Any], T], *default: T) -> T:
        if key not in self._data and default:
            return default[0]
        try:
            return parse(self._data[key])
        except KeyError:
            raise InvalidDescriptor(f"{self._named} lacks {key}.") from None
        except _WrongError as error:
            raise InvalidDescriptor(f"{self._named}: {key} is not {error}.") from None


class _WrongError(Exception):
    """Says what was expected."""


def _files(value: object) -> list[InstalledFile]:
    if not isinstance(value, list):
        raise _WrongError("a list")
    return [_file(row, f"files_json[{at}]") for at, row in enumerate(value)]


def _file(row: object, named: str) -> InstalledFile:
    found = _Reader(row, named)
    return InstalledFile(
        path=found.take("path", _text),
        sha256=found.take("sha256", _text),
        size=found.take("size", _whole),
        trust=found.take("trust", _text, "unverified"),
        source_digest=found.take("source_digest", _optional(_text), None),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongError("a string")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("true or false")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise _WrongError("a whole number")
    return value


def _uuid(value: object) -> uuid.UUID:
    try:
        return uuid.UUID(_text(value))
    except ValueError:
        raise _WrongError("a UUID") from None


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError("an object")
    return value


def _schema(value: object) -> Mapping[str, Any]:
    """Each job is checked against it, so it must be a schema, lead to no address, and hold no
    pattern: one can be made to take hours."""
    schema = _object(value)
    if _keys(schema, DEEPEST) & SCHEMA_DANGERS:
        raise _WrongError(f"free of {', '.join(sorted(SCHEMA_DANGERS))}")
    try:
        Draft202012Validator.check_schema(_cleaned(schema, DEEPEST))
    except SchemaError as error:
        raise _WrongError(f"a JSON Schema at {error.json_path}") from None
    return schema


def _optional(parse: Callable[[object], T]) -> Callable[[object], T | None]:
    return lambda value: None if value is None else parse(value)


def _cleaned(value: Any, depth: int) -> Any:
    """As JSON that every database keeps: no NUL, no half of a surrogate pair, no NaN; addresses
    without their queries; what is nested too deeply is left out."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _cleaned_parts(value, depth - 1) if depth else None
    return without_queries(_storable(str(value)))


def _cleaned_parts(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {_storable(str(key)): _cleaned(part, depth) for key, part in value.items()}
    return [_cleaned(part, depth) for part in value]


def _storable(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text)
