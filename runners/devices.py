"""The devices of this machine as the parent sees them, without torch: asked of the driver's own
program, since loading torch in a worker would take a gigabyte and a CUDA context.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

MIB = 1_048_576
ASK_WITHIN_S = 10.0
CPU = "cpu"


@dataclass(frozen=True)
class Device:
    """`name` is what torch calls it: `cuda:0`, or `cpu`."""

    name: str
    label: str = ""
    total_bytes: int = 0
    used_bytes: int = 0

    @property
    def free_bytes(self) -> int:
        return max(0, self.total_bytes - self.used_bytes)


def found() -> list[Device]:
    """Every GPU the driver tells of, in its order; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    question = "--query-gpu=index,name,memory.total,memory.used"
    try:
        answer = subprocess.run(
            [program, question, "--format=csv,noheader,nounits"],
            capture_output=True,
            timeout=ASK_WITHIN_S,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [device for line in answer.stdout.splitlines() if (device := parsed(line))]


def parsed(line: str) -> Device | None:
    """A line such as `0, NVIDIA H200, 143771, 4`; None for one that tells less."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 4 or not all(parts[at].isdecimal() for at in (0, 2, 3)):
        return None
    index, label, total, used = parts
    return Device(f"cuda:{index}", label, int(total) * MIB, int(used) * MIB)


def used_bytes(name: str) -> int | None:
    """Of one device, whoever uses it; None where nobody can be asked."""
    return next((device.used_bytes for device in found() if device.name == name), None)


def chosen(wanted: tuple[str, ...]) -> list[Device]:
    """The devices to draw on: those wanted (by number) or all, else the CPU. ValueError names a
    number that is not there."""
    here = found()
    by_number = {device.name.removeprefix("cuda:"): device for device in here}
    if missing := [number for number in wanted if number not in by_number]:
        raise ValueError(f"there is no GPU {missing[0]}; found: {', '.join(by_number) or 'none'}")
    picked = [by_number[number] for number in wanted] if wanted else here
    return picked or [Device(CPU)]
