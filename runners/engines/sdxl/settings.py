"""The JSON files that describe a model and its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.errors import InvalidModel


def read(path: Path) -> Mapping[str, Any]:
    """InvalidModel: it is not there, or holds something else."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidModel(_told(path, "is missing"), reason="incomplete") from None
    except (ValueError, RecursionError) as error:
        raise InvalidModel(_told(path, "is damaged"), reason="damaged", detail=str(error)) from None
    if not isinstance(said, dict):
        raise InvalidModel(_told(path, "holds no settings"), reason="damaged")
    return said


def _told(path: Path, what: str) -> str:
    return f"{path.parent.name}/{path.name} {what}: install the model again."
