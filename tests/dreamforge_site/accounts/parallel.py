"""Run one thing many times at once, each with a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

Result = TypeVar("Result")


def run(work: Callable[[], Result], times: int) -> list[Result | Exception]:
    """What each run returned or raised; all start together."""
    start = threading.Barrier(times)

    def one() -> Result | Exception:
        start.wait()
        try:
            return work()
        except Exception as error:  # noqa: BLE001  handed to the test, which looks at every one
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(times)]]
