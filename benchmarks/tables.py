"""Results as the documentation shows them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import machine


def show(command: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n`{command}` ({machine.description()})\n")
    print(_line(columns))
    print(_line(["---"] * len(columns)))
    for row in rows:
        print(_line(row), flush=True)


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(cell: object) -> str:
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)
