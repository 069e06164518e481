"""Python objects hidden in files: pickles, and archives that hold them. Nothing is ever unpickled,
and nothing is unpacked but the first bytes of a member."""

from __future__ import annotations

import pickletools
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

HEAD_BYTES: Final = 4_096
MOST_OPCODES: Final = 20_000
MOST_LINE_BYTES: Final = 4 * 1024 * 1024
MOST_DIRECTORY_BYTES: Final = 8 * 1024 * 1024
MOST_MEMBERS: Final = 20_000
MOST_ARRAYS: Final = 1_000

OPCODES: Final = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
# How many bytes say how long an argument is.
LENGTHS: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
# Arguments that are lines, as far as their form tells them from lines of ordinary text.
LINES: Final = {
    "decimalnl_short": re.compile(rb"[-+\w]+"),
    "decimalnl_long": re.compile(rb"[-+\w]+"),
    "floatnl": re.compile(rb"[-+.\w]+"),
    "stringnl": re.compile(rb"(['\"]).*\1"),
    "stringnl_noescape_pair": re.compile(rb"\S+"),
}
# What fetches a name from a module, and what then calls it.
IMPORTS: Final = frozenset({"GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "INST"})
CALLS: Final = frozenset({"REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "BUILD", "INST"})

ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
ARRAY_START: Final = b"\x93NUMPY"
_END: Final = struct.Struct("<4s4H2LH")
_END64_PLACE: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_MEMBER: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_OBJECT_TYPE: Final = re.compile(rb"""(['"])[|<>=]?O\d?\1""")
PICKLE_NAMES: Final = (".pkl", ".pickle")


@dataclass(frozen=True)
class _Member:
    name: bytes
    method: int
    offset: int


def found_in(reader: BinaryIO, size: int) -> str | None:
    """What kind of pickle the file is or holds, in words; None if none was found."""
    head = _at(reader, 0, HEAD_BYTES)
    if head.startswith(ARRAY_START):
        return "a numpy array of Python objects" if _is_object_array(head) else None
    if head.startswith(ZIP_STARTS):
        return _in_zip(reader, size)
    if head[257:262] == b"ustar":
        return _in_tar(reader, size)
    return "a pickle" if _is_pickle(reader, size) else None


def is_archive(head: bytes) -> bool:
    return head.startswith(ZIP_STARTS) or head[257:262] == b"ustar"


# Pickles


def _is_pickle(reader: BinaryIO, size: int) -> bool:
    """Whether it begins with the mark of a pickle, or an unpickler would get as far as a call."""
    if re.match(rb"\x80[\x02-\x05]", _at(reader, 0, 2)):
        return True
    imported = False
    reader.seek(0)
    for number, name in enumerate(_opcodes(reader, size)):
        imported = imported or name in IMPORTS
        if (imported and name in CALLS) or number >= MOST_OPCODES:
            return True
    return False


def _opcodes(reader: BinaryIO, size: int) -> Iterator[str]:
    """What an unpickler would do, up to the first byte it would stop at with an error."""
    while code := reader.read(1):
        opcode = OPCODES.get(code)
        if opcode is None or not _skip_argument(reader, opcode, size):
            return
        yield opcode.name


def _skip_argument(reader: BinaryIO, opcode: pickletools.OpcodeInfo, size: int) -> bool:
    """Step over it, however long; False if the file does not hold one."""
    argument = opcode.arg
    if argument is None:
        return True
    if argument.n == pickletools.UP_TO_NEWLINE:
        lines = 2 if argument.name == "stringnl_noescape_pair" else 1
        return all(_skip_line(reader, LINES.get(argument.name)) for _line in range(lines))
    if argument.n >= 0:
        return len(reader.read(argument.n)) == argument.n
    length = int.from_bytes(reader.read(LENGTHS[argument.n]), "little")
    return reader.seek(min(reader.tell() + length, size + 1)) <= size


def _skip_line(reader: BinaryIO, form: re.Pattern[bytes] | None) -> bool:
    line = reader.readline(MOST_LINE_BYTES)
    return line.endswith(b"\n") and (form is None or bool(form.fullmatch(line[:-1])))


# Numpy


def _is_object_array(head: bytes) -> bool:
    """The type of an array stands in a text behind its mark; objects are pickled. A text that is
    longer than what was read may hide one."""
    length = int.from_bytes(head[8:10] if head[6:7] == b"\x01" else head[8:12], "little")
    return length > HEAD_BYTES - 12 or bool(_OBJECT_TYPE.search(head[: 12 + length]))


# Zip archives. The list at their end is read by hand, with bounds, and finds what an honest archive
# holds; whether one may be installed at all is not decided by what it lists.


def _in_zip(reader: BinaryIO, size: int) -> str | None:
    arrays = 0
    for number, member in enumerate(_members(reader, size)):
        name = member.name.lower()
        if number >= MOST_MEMBERS:
            return "an archive with too many members to look at"
        if name.endswith(tuple(end.encode() for end in PICKLE_NAMES)):
            return "a zip archive with a pickle in it"
        if name.endswith(b".npy"):
            arrays += 1
            if arrays > MOST_ARRAYS or _is_object_array(_start_of(reader, member)):
                return "a zip archive with numpy arrays of Python objects"
    return None


def _members(reader: BinaryIO, size: int) -> Iterator[_Member]:
    place, length = _directory(reader, size)
    directory = _at(reader, place, min(length, MOST_DIRECTORY_BYTES))
    at = 0
    while at + _MEMBER.size <= len(directory):
        fields = _MEMBER.unpack_from(directory, at)
        if fields[0] != b"PK\x01\x02":
            return
        name_length, extra_length, comment_length = fields[10:13]
        name = directory[at + _MEMBER.size :][:name_length]
        yield _Member(name, fields[4], fields[16])
        at += _MEMBER.size + name_length + extra_length + comment_length


def _directory(reader: BinaryIO, size: int) -> tuple[int, int]:
    """Where the list of members begins, and its length. Both may lie; reading them is bounded."""
    tail_at = max(0, size - 65_536 - _END.size)
    tail = _at(reader, tail_at, size - tail_at)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + _END.size > len(tail):
        return 0, 0
    *_counts, length, place, _comment = _END.unpack_from(tail, end)
    mark = end - _END64_PLACE.size
    if mark >= 0 and tail[mark:].startswith(b"PK\x06\x07"):
        _sign, _disk, end64, _disks = _END64_PLACE.unpack_from(tail, mark)
        record = _at(reader, end64, _END64.size) if end64 < size else b""
        if len(record) == _END64.size and record.startswith(b"PK\x06\x06"):
            *_more, length, place = _END64.unpack(record)
    return (place, length) if place < size else (0, 0)


def _start_of(reader: BinaryIO, member: _Member) -> bytes:
    """The first bytes of a member; never more than a header's worth is unpacked."""
    local = _at(reader, member.offset, _LOCAL.size)
    if len(local) < _LOCAL.size or not local.startswith(b"PK\x03\x04"):
        return b""
    name_length, extra_length = _LOCAL.unpack(local)[9:11]
    start = member.offset + _LOCAL.size + name_length + extra_length
    packed = _at(reader, start, HEAD_BYTES)
    if member.method == 0:
        return packed
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, HEAD_BYTES)
    except zlib.error:
        return b""


# Tar archives, in which torch once wrote


def _in_tar(reader: BinaryIO, size: int) -> str | None:
    """The first members' names; a member is skipped by its length, not read."""
    at = 0
    for _number in range(MOST_ARRAYS):
        try:
            member = tarfile.TarInfo.frombuf(_at(reader, at, 512), "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            return None
        if member.name.endswith(("pickle", *PICKLE_NAMES)) or member.name.endswith("sys_info"):
            return "a tar archive with a pickle in it"
        at += 512 + -(-member.size // 512) * 512
        if member.size < 0 or at >= size:
            return None
    return "an archive with too many members to look at"


def _at(reader: BinaryIO, place: int, count: int) -> bytes:
    reader.seek(place)
    return reader.read(count)
