"""Prompts: as diffusers reads short ones, and to their end when they are long."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runners.engines.sdxl import prompts
from tests.runners.engines.conftest import Tiny

pytestmark = [pytest.mark.pure, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TOKENS = st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=400)


@pytest.mark.parametrize(
    "prompt", ["", "a lighthouse", "\U0001f389 été\n\t日本", "a" * 75, "<|endoftext|> x"]
)
def test_what_fits_at_once_is_read_as_diffusers_reads_it(tiny: Tiny, prompt: str) -> None:
    read = prompts.encode(tiny.pipe, prompt, "fog", guided=True)
    expected = tiny.pipe.encode_prompt(prompt, negative_prompt="fog")
    pairs = zip(
        (read.prompt, read.negative, read.prompt_summary, read.negative_summary),
        expected,
        strict=True,
    )
    assert [one is not None and torch.equal(one, two) for one, two in pairs] == [True] * 4


def test_a_longer_one_is_read_in_chunks_one_after_the_other(tiny: Tiny) -> None:
    # Tokens here are single bytes: 14 words of 5 letters are 70, the next word begins a chunk.
    words = ["abcde"] * 15 + ["fghij"]
    read = prompts.encode(tiny.pipe, " ".join(words), "", guided=True)
    first = prompts.encode(tiny.pipe, " ".join(words[:15]), "", guided=False)
    second = prompts.encode(tiny.pipe, words[15], "", guided=False)
    assert read.prompt.shape == (1, 2 * 77, 80)
    assert read.negative is not None
    assert read.negative.shape == read.prompt.shape
    expected = torch.cat([first.prompt, second.prompt], dim=1)
    assert torch.allclose(read.prompt, expected, atol=1e-5)
    assert torch.allclose(read.prompt_summary, first.prompt_summary, atol=1e-5)


def test_without_guidance_only_the_prompt_is_read(tiny: Tiny) -> None:
    read = prompts.encode(tiny.pipe, "a", "b", guided=False)
    assert read.negative is None
    assert read.negative_summary is None


@given(TOKENS, st.integers(1, 75))
def test_a_cut_loses_nothing_and_fits(tokens: list[tuple[int, bool]], room: int) -> None:
    ids = [number for number, _ in tokens]
    chunks = prompts.cut(ids, [ends for _, ends in tokens], room)
    assert [number for chunk in chunks for number in chunk] == ids
    assert max(map(len, chunks)) <= room
    assert [chunk for chunk in chunks[:-1] if not chunk] == []


def test_a_cut_falls_between_words_where_it_can() -> None:
    ends = [False, True, False, True, False, True]
    assert prompts.cut(range(6), ends, 3) == [[0, 1], [2, 3], [4, 5]]
    assert prompts.cut(range(6), [False] * 6, 4) == [[0, 1, 2, 3], [4, 5]]
