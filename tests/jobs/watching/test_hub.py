"""The hub by itself, where no server is around it."""

from __future__ import annotations

import asyncio

import pytest
from django.db import connections

from jobs.watching.hub import Hub
from jobs.watching.listeners import Watcher
from tests.jobs.watching import stories
from tests.jobs.watching.waiting import come_true

pytestmark = pytest.mark.django_db(transaction=True)


def test_hub_serves_one_event_loop_after_another() -> None:
    """A command may follow a stream twice in one process."""
    lease, hub = stories.running(), Hub()

    async def follow() -> int:
        watcher = Watcher(lease.job_id)
        hub.join(watcher)
        await come_true(lambda: watcher.mark is not None)
        await asyncio.sleep(0.2)  # the reader has looked several times in between
        before = watcher.mark.last_seq if watcher.mark else 0
        await stories.apart(stories.tell, lease, 1)
        await come_true(lambda: watcher.mark is not None and watcher.mark.last_seq > before)
        hub.leave(watcher)
        return watcher.mark.last_seq if watcher.mark else 0

    try:
        assert [asyncio.run(follow()) for _ in range(2)] == [3, 4]
    finally:
        for pool in (hub._looking, hub._paging):
            pool.submit(connections.close_all).result()
            pool.shutdown()
