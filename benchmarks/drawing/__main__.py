"""`python -m benchmarks.drawing`: a child beside diffusers in-process, on a tiny model.

`--full`: SDXL in full size on a GPU. `--golden FOLDER`: keep pictures, or compare with those kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drawing")
    parser.add_argument("--full", action="store_true", help="full size, on a GPU; 7 GB on disk")
    parser.add_argument("--golden", type=Path, metavar="FOLDER", help="keep or compare pictures")
    parser.add_argument("--device", help="cuda:0 with --full, else cpu")
    parser.add_argument("--dtype", default="auto", help="auto, fp32, fp16, bf16")
    parser.add_argument("--compile", action="store_true", help="compile the UNet's blocks")
    wanted = parser.parse_args()
    if not wanted.full:
        # One thread: several wait for each other wherever the machine does anything else.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    from benchmarks.drawing import full, golden, overhead
    from runners.engines.sdxl import surroundings
    from runners.protocol import EngineSettings

    surroundings.prepare()
    with tempfile.TemporaryDirectory(prefix="drawing-") as name:
        folder = Path(name)
        if wanted.golden:
            return golden.run(folder, wanted.golden, wanted.device or "cpu", wanted.dtype)
        if wanted.full:
            settings = EngineSettings(dtype=wanted.dtype, compile=wanted.compile)
            full.measure(folder, wanted.device or "cuda:0", settings)
        else:
            overhead.measure(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
