"""The tokenizers of CLIP, made of its merges alone: the vocabulary follows from them."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from transformers import CLIPTokenizer

from runners.errors import InvalidModel

MERGES = Path(__file__).parent / "configs" / "clip_merges.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
LONGEST = 77
FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))


def first() -> CLIPTokenizer:
    """Of the first text encoder."""
    return _tokenizer(END)


def second() -> CLIPTokenizer:
    """Of the second, which fills up with another token."""
    return _tokenizer("!")


def read(folder: Path) -> CLIPTokenizer:
    """A model's own. InvalidModel: its files are not there, without which the library would go on
    with a vocabulary of three words."""
    if not any(all((folder / name).is_file() for name in names) for names in FILES):
        message = f"{folder.name} holds no vocabulary: install the model again."
        raise InvalidModel(message, reason="incomplete")
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    return tokenizer


def _tokenizer(filler: str) -> CLIPTokenizer:
    merges = list(_merges())
    return CLIPTokenizer(
        vocab=vocabulary(), merges=merges, pad_token=filler, model_max_length=LONGEST
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
