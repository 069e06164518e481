"""`python -m benchmarks [NAME…]`: run the named measurements, or all."""

from __future__ import annotations

import importlib
import sys

NAMES = ("posting", "throughput", "flatness", "recovery", "appending")


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"No benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    for name in wanted or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
