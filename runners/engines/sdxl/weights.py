"""What a safetensors file says of itself, without reading its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from runners.errors import InvalidModel

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Tensor:
    dtype: str  # F16, BF16, F32, …
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    def has(self, *prefixes: str) -> bool:
        return any(name.startswith(prefixes) for name in self.tensors)


def read(path: Path) -> Header:
    """InvalidModel: no such file, another format, or one that ends too early."""
    if path.suffix != SUFFIX:
        raise InvalidModel(f"{path.name} is no {SUFFIX} file; other formats can carry code.")
    if not path.is_file():
        raise InvalidModel(f"{path.name} is not there.", reason="missing")
    try:
        with safe_open(str(path), framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            tensors = {
                name: Tensor(part.get_dtype(), tuple(part.get_shape()))
                for name, part in slices.items()
            }
            return Header(tensors, file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise InvalidModel(
            f"{path.name} is damaged or cut short: install it again.",
            reason="damaged",
            detail=str(error),
        ) from error
