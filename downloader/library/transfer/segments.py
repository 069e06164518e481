"""Which pieces of a file are missing, being fetched, or here. Pure; the caller locks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MISSING, TAKEN, DONE, RECORDED = range(4)  # RECORDED: an earlier run says so; to be checked
ENDLESS = 1 << 62
_SOON_S = 1.0


@dataclass(eq=False)
class Claim:
    """A run of pieces that one connection fetches. `at` moves on; `end` may come nearer when
    another connection takes over the tail."""

    start: int
    end: int
    at: int
    began: float = 0.0
    hasher: Any = None  # of the piece that is being received

    def left_s(self, now: float) -> float:
        """How long it will need at the pace it has shown; 0 when that cannot be said yet."""
        spent = now - self.began
        if spent < _SOON_S:
            return 0.0
        return (self.end - self.at) * spent / max(self.at - self.start, 1)


class Segments:
    def __init__(self, size: int | None, piece_bytes: int) -> None:
        self.size = size
        self.piece_bytes = piece_bytes
        self._states = bytearray(-(-(size or 0) // piece_bytes))
        self._cursor = 0  # no piece before it is missing
        self._missing = len(self._states)
        self._here = 0
        self.claims: list[Claim] = []

    @property
    def missing_bytes(self) -> int:
        """Of pieces that nobody fetches; about, at the end of the file."""
        return self._missing * self.piece_bytes

    @property
    def complete(self) -> bool:
        return self.size is not None and self._here == len(self._states)

    def recorded(self, pieces: Iterable[int]) -> int:
        """Believe an earlier run, for now; the bytes that are here then."""
        for index in pieces:
            if index < len(self._states) and self._states[index] == MISSING:
                self._set(index, RECORDED)
        return sum(self.length(index) for index, state in enumerate(self._states) if state)

    def claim(self, most_bytes: int, now: float) -> Claim | None:
        """The first missing pieces in file order, as many in a row as fit."""
        first = self._states.find(MISSING, self._cursor)
        if first < 0:
            self._cursor = len(self._states)
            return None
        self._cursor = stop = first
        most = first + max(1, most_bytes // self.piece_bytes)
        while stop < min(most, len(self._states)) and self._states[stop] == MISSING:
            self._set(stop, TAKEN)
            stop += 1
        return self._new(first * self.piece_bytes, self._offset(stop), now)

    def claim_all(self, claim: Claim) -> None:
        """`claim`, which starts the file, goes on to its end: there is only one connection."""
        for index in range(len(self._states)):
            self._set(index, TAKEN)
        claim.end = ENDLESS if self.size is None else self.size

    def claim_stream(self, now: float) -> Claim:
        """All of a file of unknown size."""
        return self._new(0, ENDLESS, now)

    def learn_size(self, size: int, claim: Claim, most_bytes: int) -> None:
        """The server said it; `claim`, a stream until now, keeps the first pieces."""
        self.size = size
        self._states = bytearray(-(-size // self.piece_bytes))
        self._missing = len(self._states)
        claim.end = min(size, most_bytes)
        for index in range(-(-claim.end // self.piece_bytes)):
            self._set(index, TAKEN)

    def end_stream(self, claim: Claim) -> None:
        """It ended at `claim.at`: that is the size."""
        self.size = claim.end = claim.at

    def slowest(self, now: float) -> Claim | None:
        """The claim that will need longest, when that is long."""
        claims = sorted(self.claims, key=lambda claim: claim.left_s(now))
        return claims[-1] if claims and claims[-1].left_s(now) > _SOON_S else None

    def split(self, claim: Claim, now: float) -> Claim | None:
        """The second half of what `claim` has not begun, for another connection."""
        first = claim.at // self.piece_bytes + 1
        stop = -(-claim.end // self.piece_bytes)
        middle = first + (stop - first) // 2
        if claim.end == ENDLESS or middle >= stop:
            return None
        tail = self._new(middle * self.piece_bytes, claim.end, now)
        claim.end = tail.start
        return tail

    def finish(self, index: int) -> None:
        if index == len(self._states):  # a stream of unknown size grows
            self._states.append(TAKEN)
        self._set(index, DONE)

    def give_back(self, claim: Claim) -> int:
        """What `claim` did not finish is missing again; the bytes lost in a begun piece."""
        self.claims.remove(claim)
        first, stop = claim.at // self.piece_bytes, -(-claim.end // self.piece_bytes)
        for index in range(first, min(stop, len(self._states))):
            if self._states[index] == TAKEN:
                self._set(index, MISSING)
        return claim.at % self.piece_bytes if claim.at < claim.end else 0

    def damaged(self, index: int) -> int:
        """A recorded piece is not what it was; its length."""
        self._set(index, MISSING)
        return self.length(index)

    def state(self, index: int) -> int:
        return self._states[index] if index < len(self._states) else MISSING

    def length(self, index: int) -> int:
        return self._offset(index + 1) - index * self.piece_bytes

    def _offset(self, index: int) -> int:
        end = index * self.piece_bytes
        return end if self.size is None else min(end, self.size)

    def _new(self, start: int, end: int, now: float) -> Claim:
        claim = Claim(start, end, start, now)
        self.claims.append(claim)
        return claim

    def _set(self, index: int, state: int) -> None:
        before = self._states[index]
        self._states[index] = state
        self._missing += (state == MISSING) - (before == MISSING)
        self._here += (state >= DONE) - (before >= DONE)
        if state == MISSING:
            self._cursor = min(self._cursor, index)
