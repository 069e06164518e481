"""Where the servers' programs are: on the system, or unpacked in `.tools` by `make services`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

UNPACKED = Path(__file__).resolve().parents[2] / ".tools" / "root"
ROOTS = (Path("/"), UNPACKED)


def program(*patterns: str) -> Path:
    """The newest match of the first pattern that has one below a root, else a name on PATH."""
    for root in ROOTS:
        for pattern in patterns:
            candidates = sorted(root.glob(pattern), key=_version)
            if candidates:
                return candidates[-1]
    name = Path(patterns[0]).name
    on_path = shutil.which(name)
    if on_path is None:
        raise RuntimeError(f"{name} is not installed: run `make services`")
    return Path(on_path)


def environment(program: Path) -> dict[str, str]:
    """What `program` runs with: an unpacked one has its libraries beside it."""
    inherited = dict(os.environ)
    if UNPACKED not in program.parents:
        return inherited
    libraries = [*UNPACKED.glob("lib/*-linux-gnu"), *UNPACKED.glob("usr/lib/*-linux-gnu")]
    return inherited | {
        "LD_LIBRARY_PATH": ":".join(str(folder) for folder in libraries),
        "FONTCONFIG_PATH": str(UNPACKED / "etc/fonts"),
    }


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]
