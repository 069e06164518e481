"""What a folder's own descriptions and tensors say it is: read with bounds, nothing is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downloader.library.errors import InvalidFile
from downloader.library.layouts import Candidate
from downloader.library.safetensors import read_header
from downloader.library.store import Store
from registry.kinds import LAYOUT_FILE, FileFacts, Shape, guess

CONFIG = "config.json"
DESCRIPTION_BYTES = 1 << 20
LONGEST_WORD = 200
MOST_WORDS = 10
# In the words of the files: which class draws or reads with it, and what it was made from.
SAID = ("_class_name", "model_type", "architectures")
ORIGIN = "_name_or_path"
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Inferred:
    """`kind` in the registry's words. `author`: of the repository of the folder's own name that it
    was saved from, if its description says so."""

    kind: str
    said: Mapping[str, Any]
    author: str = ""


def infer(candidate: Candidate, store: Store) -> Inferred:
    """From the files as they lie there; what cannot be read says nothing."""
    root = store.root / candidate.folder
    texts = {name: _text(store, candidate, name) for name in (LAYOUT_FILE, CONFIG)}
    facts = [FileFacts(f.path, f.size, texts.get(f.path)) for f in candidate.files]
    tensors: dict[str, Mapping[str, Shape]] = {}
    for file in candidate.files:
        if file.path.casefold().endswith(".safetensors"):
            try:
                header = read_header(root / file.path)
            except (InvalidFile, OSError):
                continue
            tensors[file.path] = {name: tensor.shape for name, tensor in header.tensors.items()}
    told = [value for text in texts.values() if (value := _object(text))]
    said = {word: found for value in told for word, found in _words(value)}
    return Inferred(guess(None, facts, tensors), said, _author(candidate, told))


def _text(store: Store, candidate: Candidate, name: str) -> str | None:
    """Only of a plain file that the candidate has."""
    if all(file.path != name for file in candidate.files):
        return None
    try:
        with store.layout.below(*candidate.folder.parts, create=False) as folder:
            data = folder.read(name, DESCRIPTION_BYTES + 1)
    except OSError:
        return None
    fits = data is not None and len(data) <= DESCRIPTION_BYTES
    return data.decode(errors="replace") if data is not None and fits else None


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _words(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for word in SAID:
        found = value.get(word)
        if isinstance(found, str):
            yield word.strip("_"), found[:LONGEST_WORD]
        elif isinstance(found, list) and all(isinstance(part, str) for part in found):
            yield word.strip("_"), [part[:LONGEST_WORD] for part in found[:MOST_WORDS]]


def _author(candidate: Candidate, told: list[dict[str, Any]]) -> str:
    """Many models name what they were tuned from: only their own name counts."""
    for value in told:
        origin = value.get(ORIGIN)
        if isinstance(origin, str) and REPO_ID.fullmatch(origin):
            author, _, name = origin.partition("/")
            if name == candidate.name:
                return author
    return ""
