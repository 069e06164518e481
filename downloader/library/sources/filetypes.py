"""What a file is for, judged by its name alone: enough to sort a list, never to trust a byte."""

from __future__ import annotations

from pathlib import PurePosixPath

WEIGHTS = {
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".onnx": "onnx",
    ".pb": "onnx",
    ".ckpt": "pickle",
    ".pt": "pickle",
    ".pth": "pickle",
    ".bin": "pickle",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".msgpack": "flax",
    ".h5": "keras",
    ".ot": "rust",
    ".tflite": "tflite",
    ".mlmodel": "coreml",
}
CONFIGS = frozenset({".json", ".yaml", ".yml", ".toml", ".jinja"})
DOCUMENTS = frozenset({".md", ".txt", ".rst", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp"})
DOCUMENT_STEMS = frozenset({"readme", "license", "licence", "notice", "copying", ".gitattributes"})
TOKENIZERS = frozenset(
    {
        "added_tokens.json",
        "merges.txt",
        "sentencepiece.bpe.model",
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "vocab.json",
        "vocab.txt",
    }
)


def type_of(path: str) -> str:
    """`model`, `weights-index`, `tokenizer`, `config`, `doc` or `other`."""
    name = PurePosixPath(path).name.casefold()
    suffix = PurePosixPath(name).suffix
    if name in TOKENIZERS:
        return "tokenizer"
    if name.endswith(".index.json"):
        return "weights-index"
    if suffix in WEIGHTS:
        return "model"
    if suffix in DOCUMENTS or PurePosixPath(name).stem in DOCUMENT_STEMS:
        return "doc"
    return "config" if suffix in CONFIGS else "other"


def format_of(path: str) -> str | None:
    """The format that the name of a weights file promises."""
    return WEIGHTS.get(PurePosixPath(path).suffix.casefold())
