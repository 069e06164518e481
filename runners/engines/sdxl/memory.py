"""What the engine holds of the device, and the process of the system."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

from runners.protocol import Memory

STATUS = Path("/proc/self/status")


def read(device: torch.device) -> Memory:
    if device.type != "cuda":
        return Memory(rss=_resident())
    return Memory(
        allocated=torch.cuda.memory_allocated(device),
        reserved=torch.cuda.memory_reserved(device),
        peak=torch.cuda.max_memory_allocated(device),
        rss=_resident(),
    )


def start_peak(device: torch.device) -> None:
    """Count the most that is allocated from here on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def give_back(device: torch.device) -> None:
    """What the allocator keeps but nobody uses."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _resident() -> int:
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
