"""model.json: what goes in comes out, and nothing that could do harm goes in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from registry.descriptors import Descriptor
from registry.errors import InvalidDescriptor

from .conftest import a_file, described

pytestmark = pytest.mark.pure

CONTRACT = {
    "id",
    "name",
    "kind",
    "version",
    "checkpoint_hash",
    "source_uri",
    "local_path",
    "installed",
    "enabled",
    "parameters_schema",
    "capabilities",
    "files_json",
    "schema_version",
    "provenance",
}


def written(**changes: Any) -> dict[str, Any]:
    return {**described().to_json(), **changes}


def a_row(**changes: Any) -> list[dict[str, Any]]:
    return [{**a_file().to_json(), **changes}]


def test_a_descriptor_survives_the_round_trip() -> None:
    descriptor = described(files=(a_file("a.json", "local"), a_file("b/c.safetensors")))
    text = json.dumps(descriptor.to_json())
    assert Descriptor.from_json(json.loads(text)) == descriptor
    assert set(json.loads(text)) == CONTRACT


def test_a_descriptor_without_what_may_be_absent_is_read() -> None:
    data = written()
    for name in ("checkpoint_hash", "enabled", "schema_version", "provenance"):
        del data[name]
    read = Descriptor.from_json(data)
    assert (read.checkpoint_hash, read.enabled, read.schema_version) == (None, False, 1)


def test_a_key_of_a_later_program_is_left_out() -> None:
    data = written()
    assert Descriptor.from_json({**data, "rating": 5}) == Descriptor.from_json(data)


def test_a_later_schema_is_refused_with_a_way_out() -> None:
    with pytest.raises(InvalidDescriptor, match=r"schema version 2.*update"):
        Descriptor.from_json(written(schema_version=2))


WRONG: dict[str, tuple[Any, str]] = {
    "no object": ([], "not a JSON object"),
    "no id": ({k: v for k, v in written().items() if k != "id"}, "lacks id"),
    "an id of another kind": (written(id="7"), "id is not a UUID"),
    "a name that is no text": (written(name=7), "name is not a string"),
    "an empty name": (written(name=" "), "name must not be empty"),
    "a long name": (written(name="x" * 256), "name must have at most"),
    "a name with a line end": (written(name="a\nb"), "name must be one line"),
    "a name with a NUL": (written(name="a\0b"), "name must be one line"),
    "a name that steers a terminal": (written(name="\x1b[31m"), "name must be one line"),
    "a name that turns around": (written(name="\u202etxt"), "name must be one line"),
    "half a character": (written(name="\ud800"), "name must be one line"),
    "an unknown kind": (written(kind="flux"), "kind must be one of"),
    "a hash without its prefix": (written(checkpoint_hash="0" * 64), "checkpoint_hash"),
    "a truth that is a number": (written(installed=1), "installed is not true or false"),
    "a schema that is none": (
        written(parameters_schema={"properties": {"width": {"minimum": "x"}}}),
        r"parameters_schema is not a JSON Schema at \$\.properties\.width\.minimum",
    ),
    "a schema that leads elsewhere": (
        written(parameters_schema={"allOf": [{"$ref": "http://host.example/x"}]}),
        r"parameters_schema is not free of \$",
    ),
    "a schema that takes hours": (
        written(parameters_schema={"properties": {"prompt": {"pattern": "^(a+)+$"}}}),
        "parameters_schema is not free of",
    ),
    "a schema that is a list": (written(parameters_schema=[]), "parameters_schema is not an"),
    "a version of the schema in words": (written(schema_version="1"), "schema_version is not"),
    "a version of the schema that is true": (written(schema_version=True), "schema_version is not"),
    "a folder above": (written(local_path="../x"), "local_path must stay below"),
    "an absolute folder": (written(local_path="/etc"), "local_path must stay below"),
    "installed nowhere": (written(local_path=""), "local_path must be given"),
    "files that are no list": (written(files_json={}), "files_json is not a list"),
    "a file that is no object": (written(files_json=["x"]), r"files_json\[0\] is not"),
    "a file above": (written(files_json=a_row(path="a/../../x")), r"files_json\[0\].path"),
    "a file of another system": (written(files_json=a_row(path="a\\b")), r"files_json\[0\].path"),
    "a file with two slashes": (written(files_json=a_row(path="a//b")), r"files_json\[0\].path"),
    "a digest in capitals": (written(files_json=a_row(sha256="A" * 64)), r"\[0\].sha256"),
    "a negative size": (written(files_json=a_row(size=-1)), "size is not a whole number"),
    "a huge size": (written(files_json=a_row(size=2**63)), "size is not a whole number"),
    "trust in a word of its own": (written(files_json=a_row(trust="fully")), r"\[0\].trust"),
    "a digest that is none": (written(files_json=a_row(source_digest="x")), "source_digest"),
    "a path twice": (written(files_json=a_row() * 2), "name each path once"),
}


@pytest.mark.parametrize(("data", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_part_is_named(data: Any, said: str) -> None:
    with pytest.raises(InvalidDescriptor, match=said):
        Descriptor.from_json(data)


def test_addresses_lose_queries_and_users() -> None:
    made = described(
        source_uri="https://mira:hunter2@host.example/a.safetensors?token=s3cret#x",
        provenance={
            "page": "https://civitai.com/models/1?modelVersionId=2",
            "deep": [{"mirror": "see http://u@h/x?sig=abc, or ftp://y/z"}],
        },
    )
    text = json.dumps(made.to_json())
    assert made.source_uri == "https://host.example/a.safetensors#x"
    assert made.provenance["page"] == "https://civitai.com/models/1"
    assert made.provenance["deep"] == [{"mirror": "see http://h/x or ftp://y/z"}]
    assert not [secret for secret in ("hunter2", "s3cret", "abc", "?") if secret in text]


def test_a_pattern_in_a_reference_is_no_query() -> None:
    uri = "hf:acme/x@main#model-0000?.safetensors"
    assert described(source_uri=uri).source_uri == uri


def test_what_no_database_keeps_is_taken_out_of_the_provenance() -> None:
    nested: Any = "end"
    for _ in range(40):
        nested = [nested]
    made = described(
        provenance={"a\0": "b\0\ud800", "n": float("nan"), "deep": nested, "set": {1}, "x": object}
    )
    json.dumps(made.to_json(), allow_nan=False).encode()
    assert made.provenance["a\ufffd"] == "b\ufffd\ufffd"
    assert made.provenance["n"] is None
    assert made.provenance["set"] == [1]


def test_a_descriptor_adds_up_its_files() -> None:
    files = (a_file("a"), a_file("bcd"))
    assert described(files=files).size_bytes == 4


def test_reading_takes_time_in_proportion() -> None:
    """A text without an end of scheme, which a careless pattern tries again at each letter."""
    text = "a." * 200_000 + "://" + "x@" * 100_000
    assert described(provenance={"page": text}).provenance["page"]


def test_what_is_checked_stays_as_it_was() -> None:
    descriptor = described()
    assert descriptor.checked() == descriptor
    with pytest.raises(InvalidDescriptor, match="kind"):
        replace(descriptor, kind="flux").checked()
