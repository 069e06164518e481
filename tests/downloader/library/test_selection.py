"""Which files the patterns of a reference name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.library.errors import NothingSelected
from downloader.library.plan import select
from downloader.library.refs import parse
from tests.downloader.library.planning import file

pytestmark = pytest.mark.pure


LISTED = [
    "model_index.json",
    "README.md",
    "unet/config.json",
    "unet/model.safetensors",
    "unet/deep/er/x.json",
    "vae/config.json",
    "a[1]*.json",
    "straße.txt",
]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], LISTED),
        (["unet/config.json"], ["unet/config.json"]),
        (["README.md", "model_index.json"], ["model_index.json", "README.md"]),
        (["README.md", "README.md", "READ*"], ["README.md"]),
        (["unet/"], ["unet/config.json", "unet/model.safetensors", "unet/deep/er/x.json"]),
        (["unet/deep"], ["unet/deep/er/x.json"]),
        (["model.safetensors"], ["unet/model.safetensors"]),
        (["*.safetensors"], ["unet/model.safetensors"]),
        (["unet/*.json"], ["unet/config.json"]),
        (["unet/**/*.json"], ["unet/config.json", "unet/deep/er/x.json"]),
        (["**/er/*"], ["unet/deep/er/x.json"]),
        (["**/*"], LISTED),
        (["**"], LISTED),
        (["u*t/"], ["unet/config.json", "unet/model.safetensors", "unet/deep/er/x.json"]),
        (["?net/config.json"], ["unet/config.json"]),
        (["[uv]*/config.json"], ["unet/config.json", "vae/config.json"]),
        (["a[1]*.json"], ["a[1]*.json"]),
        (["key of vae/config.json"], ["vae/config.json"]),
        (["strasse.txt", "straße.txt"], None),
        (["*.bin"], None),
        (["UNET/config.json"], None),
        (["../model_index.json"], None),
        (["unet/config.jso"], None),
    ],
)
def test_a_pattern_names_files(patterns: list[str], found: list[str] | None) -> None:
    files = [file(path, key=f"key of {path}") for path in LISTED]
    try:
        chosen: list[str] | None = [it.path for it in select(patterns, files)]
    except NothingSelected:
        chosen = None

    assert chosen == found


def test_a_reference_brings_its_own_patterns() -> None:
    files = [file("a.json"), file("b.json")]

    assert select(parse("hf:a/b#b.json"), files) == (files[1],)


def test_a_name_that_several_files_have_is_not_guessed() -> None:
    with pytest.raises(
        NothingSelected, match=r"2 files are called 'config\.json'; say which: 'unet"
    ):
        select(["config.json"], [file(path) for path in LISTED])


def test_a_wrong_name_is_answered_with_near_ones() -> None:
    with pytest.raises(
        NothingSelected, match=r"No file is 'unet/confg\.json'\. Near to it: 'unet/con"
    ):
        select(["unet/confg.json"], [file(path) for path in LISTED])


def test_a_pattern_without_a_file_is_answered_with_what_there_is() -> None:
    with pytest.raises(NothingSelected, match=r"There are: 'f0', .* and 2 more"):
        select(["*.qqq"], [file(f"f{number}") for number in range(10)])


def test_names_are_compared_composed() -> None:
    files = [file("u\u0308.json")]

    assert select(["ü.json"], files) == tuple(files)


@given(st.lists(st.sampled_from(["*", "**", "?", "a", "b", "/", "[", "]", "!"]), min_size=1))
def test_any_pattern_is_answered(parts: list[str]) -> None:
    files = [file("a/b/a/b/a/b/a/b"), file("aaaa")]
    try:
        found = select(["".join(parts)], files)
    except NothingSelected:
        found = ()

    assert {it.path for it in found} <= {it.path for it in files}


def test_many_stars_cost_no_time() -> None:
    files = [file("/".join(["a" * 200] * 5))]

    with pytest.raises(NothingSelected):
        select(["**/" * 100 + "*a" * 30 + "b"], files)
