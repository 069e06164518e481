"""Waiting for something to become true: the only limit is that of a hang."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

WITHIN_S = 30.0
POLL_S = 0.02


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(POLL_S)


async def come_true(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not true():
            await asyncio.sleep(POLL_S)
