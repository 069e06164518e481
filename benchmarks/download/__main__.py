"""`python -m benchmarks.download [CASE…]`: our engine beside the tools people use, in turns, on one
server; medians, and ratios to the physical limit.

The files lie in `--root` (a few GiB) and stay there for the next time, until `--clean`.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import tables
from benchmarks.download import runs
from benchmarks.download.cases import CASES, Case, prepare
from benchmarks.download.contestants import CONTESTANTS, OURS, Contestant
from benchmarks.download.runs import Run

COLUMNS = ("contestant", "seconds", "ours / theirs", "fetched / size", "peak RSS, MB")


def main() -> int:
    options = _options()
    root = Path(options.root)
    root.mkdir(parents=True, exist_ok=True)
    ready = _ready(options.only)
    for name in options.cases or CASES:
        _compare(CASES[name], ready, options.rounds, root)
    if options.clean:
        shutil.rmtree(root)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.download", description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], help="all, unless named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", help="contestants whose name begins with one of these: ours,aria2c"
    )
    parser.add_argument("--root", default=str(Path(tempfile.gettempdir(), "dreamforge-download")))
    parser.add_argument("--clean", action="store_true", help="remove the files at the end")
    return parser.parse_args()


def _ready(only: str | None) -> list[Contestant]:
    wanted = tuple(only.split(",")) if only else ("",)
    chosen = [one for one in CONTESTANTS if one.name.startswith(wanted)]
    for reason in filter(None, (one.missing() for one in chosen)):
        print(reason, file=sys.stderr)
    return [one for one in chosen if one.missing() is None]


def _compare(case: Case, ready: list[Contestant], rounds: int, root: Path) -> None:
    content = prepare(case, root)
    taking_part = [one for one in ready if case.name not in one.skips]
    results: dict[str, list[Run]] = {one.name: [] for one in taking_part}
    with_hub = any(one.from_hub for one in taking_part)
    with runs.serving(case, content, with_hub=with_hub) as servers:
        for _ in range(rounds):
            for one in taking_part:
                results[one.name].append(runs.once(one, case, content, servers, root))
    ours = _median(results[OURS], "seconds") if OURS in results else 0.0
    print(f"\n{case.about}; medians of {rounds}, taken in turns")
    rows = [_row(name, found, ours) for name, found in results.items()]
    tables.show(f"python -m benchmarks.download {case.name}", COLUMNS, rows)


def _row(name: str, found: list[Run], ours: float) -> list[object]:
    seconds = _median(found, "seconds")
    return [
        name,
        seconds,
        ours / seconds,
        _median(found, "fetched"),
        round(max(run.rss_mb for run in found)),
    ]


def _median(found: list[Run], what: str) -> float:
    return statistics.median(getattr(run, what) for run in found)


if __name__ == "__main__":
    sys.exit(main())
