"""The tokenizers of CLIP, made of its merges alone: the vocabulary follows from them."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from transformers import CLIPTokenizer

MERGES = Path(__file__).parent / "configs" / "clip_merges.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
LONGEST = 77


def first() -> CLIPTokenizer:
    """Of the first text encoder."""
    return _tokenizer(pad_token=END)


def second() -> CLIPTokenizer:
    """Of the second, which fills up with another token."""
    return _tokenizer(pad_token="!")


def _tokenizer(pad_token: str) -> CLIPTokenizer:
    merges = list(_merges())
    return CLIPTokenizer(
        vocab=vocabulary(), merges=merges, pad_token=pad_token, model_max_length=LONGEST
    )


def vocabulary() -> dict[str, int]:
    symbols = byte_symbols()
    words = [*symbols, *(symbol + WORD_END for symbol in symbols)]
    words += [left + right for left, right in _merges()]
    return {word: number for number, word in enumerate([*words, START, END])}


@cache
def _merges() -> tuple[tuple[str, str], ...]:
    lines = gzip.decompress(MERGES.read_bytes()).decode("utf-8").splitlines()
    pairs = (line.partition(" ") for line in lines)
    return tuple((left, right) for left, _, right in pairs)


def byte_symbols() -> list[str]:
    """One printable character for every byte: those that can be printed stand for themselves and
    come first, the others for characters beyond the bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + at) for at in range(len(others))]
