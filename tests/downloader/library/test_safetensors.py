"""Headers of safetensors files: right ones are read, hostile ones refused, with little memory."""

from __future__ import annotations

import io
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.errors import InvalidFile
from downloader.library.safetensors import BITS, Tensor, read_header

pytestmark = pytest.mark.pure


def packed(header: str | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    raw = header.encode() if isinstance(header, str) else header
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def entry(shape: list[Any], begin: Any, end: Any, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def described(*entries: dict[str, Any], data: bytes = b"") -> bytes:
    return packed(json.dumps({f"t{number}": it for number, it in enumerate(entries)}), data)


def read(file: bytes) -> Any:
    return read_header(io.BytesIO(file), len(file))


def test_tensors_and_metadata_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    header = {
        "__metadata__": {"format": "pt", "note": 'ü "quoted" {}'},
        "b": entry([2, 3], 4, 28),
        "a": entry([2], 0, 4, "F16"),
        "nothing": entry([0, 7], 28, 28),
        "scalar": entry([], 28, 30, "BF16"),
    }
    path.write_bytes(packed(json.dumps(header, indent=1) + "   \n", bytes(30)))

    found = read_header(path)

    assert found.metadata == {"format": "pt", "note": 'ü "quoted" {}'}
    assert found.tensors == {
        "b": Tensor("F32", (2, 3), 4, 28),
        "a": Tensor("F16", (2,), 0, 4),
        "nothing": Tensor("F32", (0, 7), 28, 28),
        "scalar": Tensor("BF16", (), 28, 30),
    }


def test_a_file_without_tensors_is_valid() -> None:
    assert read(packed("{}")).tensors == {}


def test_packed_numbers_fill_whole_bytes() -> None:
    assert read(described(entry([4], 0, 2, "F4"), data=bytes(2))).tensors["t0"].end == 2


HUGE = 2**63 - 1
REFUSED = {
    "empty": (b"", "too short"),
    "seven bytes": (bytes(7), "too short"),
    "length 2^63": (packed("{}", length=2**63), "would have 9223372036854775808 bytes"),
    "over 100 MB": (packed("{}", length=100_000_001), "100000000 are allowed"),
    "longer than the file": (packed("{}", length=3), "longer than the file"),
    "length 0": (packed(""), "not JSON"),
    "not JSON": (packed("hello"), "not JSON"),
    "not UTF-8": (packed(b'{"\xff":1}'), "not JSON"),
    "blank first": (packed(" {}"), "not JSON"),
    "a list": (packed("[]"), "not JSON"),
    "cut": (packed('{"t0":'), "not JSON"),
    "cut after a member": (packed('{"__metadata__":{}'), "not JSON"),
    "comma at the end": (packed('{"__metadata__":{},}'), "where a text belongs"),
    "key that is no text": (packed("{1:2}"), "where a text belongs"),
    "more after it": (packed("{}{}"), "more follows"),
    "NUL padding": (packed("{}\0"), "more follows"),
    "nested": (packed('{"t0":' + "[" * 100_000), "not JSON"),
    "long entry": (packed('{"t0":{"dtype":"' + "x" * 5_000 + '"}}'), "not JSON"),
    "endless number": (
        described(entry([1], 0, 1)).replace(b"[1]", b"[1" + b"0" * 2_000 + b"]"),
        "longer|not JSON|shape",
    ),
    "duplicate tensor": (
        packed('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
               '"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "'a' is there twice",
    ),
    "duplicate by escape": (
        packed('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
               '"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "'a' is there twice",
    ),
    "duplicate metadata": (packed('{"__metadata__":{},"__metadata__":{}}'), "is there twice"),
    "duplicate metadata key": (packed('{"__metadata__":{"a":"1","a":"2"}}'), "metadata twice"),
    "duplicate field": (
        packed('{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "not JSON",
    ),
    "metadata number": (packed('{"__metadata__":{"a":1}}'), "where a text belongs"),
    "metadata list": (packed('{"__metadata__":[]}'), "not JSON"),
    "entry list": (packed('{"a":[]}'), "not described"),
    "entry without shape": (packed('{"a":{"dtype":"U8","data_offsets":[0,0]}}'), "not described"),
    "entry with more": (packed(json.dumps({"a": entry([0], 0, 0) | {"x": 1}})), "not described"),
    "dtype unknown": (described(entry([0], 0, 0, "F128")), "type of number"),
    "dtype list": (described(entry([0], 0, 0, [])), "type of number"),
    "shape text": (described(entry("x", 0, 0)), "no valid shape"),  # type: ignore[arg-type]
    "shape negative": (described(entry([-1], 0, 0)), "no valid shape"),
    "shape true": (described(entry([True], 0, 4), data=bytes(4)), "no valid shape"),
    "shape float": (described(entry([1.0], 0, 4), data=bytes(4)), "no valid shape"),
    "shape NaN": (described(entry([math.nan], 0, 4), data=bytes(4)), "no valid shape"),
    "65 dimensions": (described(entry([1] * 65, 0, 4), data=bytes(4)), "no valid shape"),
    "offsets three": (
        packed('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}'),
        "no valid offsets",
    ),
    "offsets backwards": (described(entry([1], 4, 0), data=bytes(4)), "no valid offsets"),
    "offsets negative": (described(entry([1], -4, 0), data=bytes(4)), "no valid offsets"),
    "offsets huge": (described(entry([1], 2**64, 2**64 + 4)), "no valid offsets"),
    "overflow": (described(entry([2**32, 2**32], 0, 0)), "than its shape needs"),
    "overflow to a small number": (
        described(entry([2**62, 4], 0, 0, "U8"), data=b""),
        "than its shape needs",
    ),
    "too few bytes": (described(entry([2], 0, 4), data=bytes(4)), "than its shape needs"),
    "half a byte": (described(entry([1], 0, 1, "F4"), data=bytes(1)), "than its shape needs"),
    "overlap": (
        described(entry([1], 0, 4), entry([1], 2, 6), data=bytes(6)),
        "'t1' overlaps another",
    ),
    "same place": (described(entry([1], 0, 4), entry([1], 0, 4), data=bytes(4)), "overlaps"),
    "gap": (described(entry([1], 0, 4), entry([1], 5, 9), data=bytes(9)), "'t1' leaves a gap"),
    "gap at the start": (described(entry([1], 1, 5), data=bytes(5)), "leaves a gap"),
    "out of range": (described(entry([1], 0, 4), data=bytes(3)), "need 4 bytes, and there are 3"),
    "far out of range": (described(entry([HUGE // 8], 0, HUGE // 8, "U8")), "there are 0"),
    "bytes left over": (described(entry([1], 0, 4), data=bytes(5)), "1 bytes at its end"),
}  # fmt: skip


@pytest.mark.parametrize(("file", "why"), REFUSED.values(), ids=REFUSED)
def test_a_broken_header_is_refused_with_a_reason(file: bytes, why: str) -> None:
    with pytest.raises(InvalidFile, match=why):
        read(file)


def test_a_file_cut_within_the_header_is_refused() -> None:
    with pytest.raises(InvalidFile, match="ends within the header"):
        read_header(io.BytesIO(packed("{}")[:-1]), 100)


def test_too_many_tensors_are_refused() -> None:
    one = '"data_offsets":[0,0],"dtype":"U8","shape":[0]'
    header = ",".join(f'"{number}":{{{one}}}' for number in range(200_001))

    with pytest.raises(InvalidFile, match="more than 200000 tensors"):
        read(packed(f"{{{header}}}"))


@pytest.mark.parametrize(
    "header",
    [
        '{"a":[' + "0," * 5_000_000 + "0]}",
        '{"a":' + '{"a":' * 2_000_000,
        '{"__metadata__":{"a":[' + "[]," * 3_000_000 + "[]]}}",
    ],
    ids=["one long list", "deep", "in the metadata"],
)
def test_json_made_to_be_large_takes_no_more_memory_than_its_text(header: str) -> None:
    file = packed(header)
    del header
    source = io.BytesIO(file)

    tracemalloc.start()
    with pytest.raises(InvalidFile):
        read_header(source, len(file))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * len(file)


def test_a_lying_length_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(packed("{}", length=99_999_999))

    tracemalloc.start()
    with pytest.raises(InvalidFile):
        read_header(path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1_000_000


NAMES = st.text(max_size=20).filter("__metadata__".__ne__)
SHAPES = st.lists(st.integers(0, 5), max_size=4)


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(sorted(BITS)), SHAPES)))
def test_every_valid_layout_is_read_back(parts: dict[str, tuple[str, list[int]]]) -> None:
    header: dict[str, Any] = {}
    front = 0
    for name, (dtype, shape) in parts.items():
        whole = shape if (math.prod(shape) * BITS[dtype]) % 8 == 0 else [*shape, 8]
        after = front + math.prod(whole) * BITS[dtype] // 8
        header[name] = entry(whole, front, after, dtype)
        front = after
    total = max((it["data_offsets"][1] for it in header.values()), default=0)

    found = read(packed(json.dumps(header), bytes(total)))

    assert {name: list(tensor.shape) for name, tensor in found.tensors.items()} == {
        name: it["shape"] for name, it in header.items()
    }


@given(st.binary(max_size=200) | st.binary(max_size=100).map(packed))
def test_any_bytes_are_read_or_refused(file: bytes) -> None:
    try:
        found = set(read(file).tensors)
    except InvalidFile as refused:
        found = {refused.message}

    assert isinstance(found, set)
