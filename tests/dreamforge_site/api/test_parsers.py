"""Bodies: the torture table, and JSON that means what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.dreamforge_site.api.test_failures import assert_envelope

URL = "/v1/pictures"
JSON = "application/json"


def post(client: Client, body: bytes | str, content_type: str = JSON, **extra: Any) -> Any:
    data = body if isinstance(body, bytes) else body.encode()
    return client.generic("POST", URL, data, content_type=content_type, **extra)


MALFORMED: dict[str, bytes] = {
    "nan": b'{"prompt": "x", "guidance": NaN}',
    "infinity": b'{"prompt": "x", "guidance": -Infinity}',
    "too large a float": b'{"prompt": "x", "guidance": 1e400}',
    "too long an integer": b'{"prompt": "x", "seed": ' + b"9" * 5000 + b"}",
    "too long a float": b'{"prompt": "x", "guidance": 0.' + b"9" * 5000 + b"}",
    "duplicate key": b'{"prompt": "x", "prompt": "y"}',
    "nested duplicate key": b'{"prompt": "x", "extra": {"a": 1, "a": 2}}',
    "blank": b"   ",
    "cut off": b'{"prompt": "x"',
    "more after the end": b'{"prompt": "x"} {}',
    "single quotes": b"{'prompt': 'x'}",
    "array": b'[{"prompt": "x"}]',
    "null": b"null",
    "string": b'"x"',
    "number": b"30",
    "boolean": b"true",
    "invalid UTF-8": b'{"prompt": "\xff"}',
    "UTF-8 surrogate": b'{"prompt": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"prompt": "\xc0\x80"}',
    "byte order mark": b'\xef\xbb\xbf{"prompt": "x"}',
    "UTF-16": '{"prompt": "x"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"prompt": "x"}'.encode("utf-16-le"),
    "raw NUL": b'{"prompt": "a\x00b"}',
    "raw newline": b'{"prompt": "a\nb"}',
    "100,000 open brackets": b"[" * 100_000,
    "100,000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "deep but within the decoder": b'{"extra": ' + b"[" * 500 + b"]" * 500 + b"}",
    "100,000 objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_plain_json_object_is_malformed(sample: Client, body: bytes) -> None:
    assert_envelope(post(sample, body), 400, "malformed_request")


INVALID: dict[str, tuple[str, str]] = {
    "escaped NUL": (r'{"prompt": "a\u0000b"}', "prompt"),
    "lone surrogate": (r'{"prompt": "\ud800"}', "prompt"),
    "reversed pair": (r'{"prompt": "\udc00\ud800"}', "prompt"),
    "NUL deep inside": (r'{"prompt": "x", "extra": [{"a": ["\u0000"]}]}', "extra"),
    "NUL in a key": (r'{"prompt": "x", "a\u0000": 1}', r"a\0"),
    "surrogate in a key": (r'{"prompt": "x", "\ud800": 1}', r"\ud800"),
    "surrogate in a nested key": (r'{"prompt": "x", "extra": {"\udfff": 1}}', "extra"),
    "unknown": ('{"prompt": "x", "promt": 1}', "promt"),
    "unknown, nested": ('{"prompt": "x", "webhook": {"url": "u", "x": 1}}', "webhook.x"),
    "read-only": ('{"prompt": "x", "id": "7"}', "id"),
    "string for an integer": ('{"prompt": "x", "steps": "30"}', "steps"),
    "float for an integer": ('{"prompt": "x", "steps": 30.0}', "steps"),
    "boolean for an integer": ('{"prompt": "x", "steps": true}', "steps"),
    "boolean for a float": ('{"prompt": "x", "guidance": false}', "guidance"),
    "string for a float": ('{"prompt": "x", "guidance": "7"}', "guidance"),
    "integer for a string": ('{"prompt": 1}', "prompt"),
    "boolean for a string": ('{"prompt": true}', "prompt"),
    "object for a string": ('{"prompt": {}}', "prompt"),
    "integer for a boolean": ('{"prompt": "x", "embed": 1}', "embed"),
    "string for a boolean": ('{"prompt": "x", "embed": "true"}', "embed"),
    "number for a choice of strings": ('{"prompt": "x", "format": 1}', "format"),
    "list for a choice": ('{"prompt": "x", "format": []}', "format"),
    "string for a list": ('{"prompt": "x", "tags": "a"}', "tags"),
    "number in a list of strings": ('{"prompt": "x", "tags": ["a", 1]}', "tags.1"),
    "string in a map of numbers": ('{"prompt": "x", "labels": {"a": "1"}}', "labels.a"),
    "list for a map": ('{"prompt": "x", "labels": []}', "labels"),
    "list for an object": ('{"prompt": "x", "webhook": []}', "webhook"),
    "unhashable choice": ('{"prompt": "x", "styles": [{}]}', "styles.0"),
    "null": ('{"prompt": null}', "prompt"),
    "missing": ("{}", "prompt"),
    "blank after trimming": ('{"prompt": "  "}', "prompt"),
    "seed 2^63": ('{"prompt": "x", "seed": 9223372036854775808}', "seed"),
    "seed -1": ('{"prompt": "x", "seed": -1}', "seed"),
    "too long": (json.dumps({"prompt": "x" * 4097}), "prompt"),
}


@pytest.mark.parametrize(("body", "field"), INVALID.values(), ids=INVALID)
def test_an_unacceptable_value_is_refused_by_its_field(
    sample: Client, body: str, field: str
) -> None:
    envelope = assert_envelope(post(sample, body), 422, "invalid_input")
    assert list(envelope["details"]["fields"]) == [field]
    assert envelope["details"]["fields"][field][0]


def test_every_unknown_field_is_named(sample: Client) -> None:
    response = post(sample, '{"prompt": "x", "a": 1, "b": {}, "steps": "3"}')
    fields = response.json()["details"]["fields"]
    assert fields == {
        "a": ["Unknown field."],
        "b": ["Unknown field."],
        "steps": ["Must be an integer."],
    }


def test_a_hostile_field_name_is_shortened(sample: Client) -> None:
    response = post(sample, json.dumps({"x" * 100_000: 1}))
    assert len(response.content) < 1000


def test_fields_beyond_fifty_are_counted_and_not_named(sample: Client) -> None:
    body = {f"field{number}": 1 for number in range(60_000)}
    response = post(sample, json.dumps(body))
    envelope = assert_envelope(response, 422, "invalid_input")
    assert list(envelope["details"]["fields"]) == [f"field{number}" for number in range(50)]
    assert "59950 more" in envelope["message"]
    assert len(response.content) < 5000


def test_long_names_all_together_make_no_long_answer(sample: Client) -> None:
    body = {"webhook": {"url": "u", **{f"{number}{'🐉' * 300}": 1 for number in range(500)}}}
    response = post(sample, json.dumps(body, ensure_ascii=False))
    envelope = assert_envelope(response, 422, "invalid_input")
    assert max(map(len, envelope["details"]["fields"])) <= 101
    assert len(response.content) < 50_000


def test_an_apps_own_error_makes_no_long_answer_either(sample: Client) -> None:
    response = sample.get("/v1/failing/many-fields")
    envelope = assert_envelope(response, 422, "invalid_input")
    assert len(envelope["details"]["fields"]) == 50
    assert envelope["details"]["fields"]["0.deep"] == [f"{'x' * 500}…"]
    assert envelope["message"] == "because of invalid_input 9950 more are not named."
    assert len(response.content) < 50_000


@pytest.mark.parametrize(
    "prompt",
    ["emoji 🐉", "-->", "a\r\nb", "\u202e right to left", "\uffff", "\U0001d4b3", "x" * 4096],
)
def test_any_other_unicode_is_accepted_as_it_is(sample: Client, prompt: str) -> None:
    response = post(sample, json.dumps({"prompt": prompt}))
    assert response.status_code == 201
    assert response.json()["prompt"] == prompt


def test_integers_are_floats_and_nested_values_pass(sample: Client) -> None:
    body = {
        "prompt": "x",
        "guidance": 7,
        "tags": ["a"],
        "labels": {"a": 1},
        "webhook": {"url": "u"},
        "extra": {"any": [1, None, {"x": True}]},
    }
    response = post(sample, json.dumps(body))
    assert response.status_code == 201
    assert {**response.json(), **body} == response.json()


@pytest.mark.parametrize(("size", "status"), [(1_048_576, 422), (1_048_577, 413), (3_000_000, 413)])
def test_bodies_end_at_one_mebibyte(sample: Client, size: int, status: int) -> None:
    body = b'{"prompt": "' + b"x" * (size - 14) + b'"}'
    assert len(body) == size
    assert post(sample, body).status_code == status


def test_too_large_a_body_is_told_in_the_envelope(sample: Client) -> None:
    assert_envelope(post(sample, b"x" * 3_000_000), 413, "payload_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=bz2_codec",
        "application/json; charset=nonsense",
        "a" * 300,
    ],
)
def test_only_json_and_forms_in_utf8_are_read(sample: Client, content_type: str) -> None:
    response = post(sample, '{"prompt": "x"}', content_type)
    assert_envelope(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "Application/JSON"])
def test_the_usual_ways_to_say_json_are_read(sample: Client, content_type: str) -> None:
    assert post(sample, '{"prompt": "x"}', content_type).status_code == 201


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("br", 415), ("identity", 201)])
def test_compressed_bodies_are_refused(sample: Client, encoding: str, status: int) -> None:
    response = post(sample, '{"prompt": "x"}', HTTP_CONTENT_ENCODING=encoding)
    assert response.status_code == status


def test_an_absent_body_is_an_empty_object(sample: Client) -> None:
    envelope = assert_envelope(post(sample, b""), 422, "invalid_input")
    assert envelope["details"]["fields"] == {"prompt": ["This field is required."]}
    assert sample.generic("POST", "/v1/cancel").status_code == 202


def test_a_view_without_a_serializer_takes_no_field(sample: Client) -> None:
    response = sample.post("/v1/cancel", {"force": True}, JSON)
    envelope = assert_envelope(response, 422, "invalid_input")
    assert envelope["details"]["fields"] == {"force": ["Unknown field."]}


def test_a_form_may_send_strings(sample: Client) -> None:
    form = "csrfmiddlewaretoken=t&prompt=x&steps=20&embed=on&webhook.url=u"
    response = post(sample, form, "application/x-www-form-urlencoded")
    assert response.status_code == 201
    assert response.json()["steps"] == 20
    assert response.json()["webhook"] == {"url": "u"}


def test_an_unknown_form_field_is_refused(sample: Client) -> None:
    response = post(sample, "prompt=x&promt=y", "application/x-www-form-urlencoded")
    envelope = assert_envelope(response, 422, "invalid_input")
    assert list(envelope["details"]["fields"]) == ["promt"]


def test_a_nul_in_a_form_is_refused(sample: Client) -> None:
    response = post(sample, "prompt=a%00b", "application/x-www-form-urlencoded")
    assert_envelope(response, 422, "invalid_input")


def test_too_many_form_fields_are_refused(sample: Client) -> None:
    form = "&".join(f"f{number}=1" for number in range(2000))
    response = post(sample, form, "application/x-www-form-urlencoded")
    assert_envelope(response, 413, "payload_too_large")
