"""How long a child may take for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    start_s: float = 120.0  # imports of the engine's libraries on a cold disk
    load_s: float = 900.0
    item_s: float = 600.0
    silence_s: float = 180.0  # while it draws: no step, no word
    cancel_s: float = 3.0  # from a cancel to its answer; contract: canceled within 5 s
    end_s: float = 2.0  # from Bye or TERM to KILL
