"""What Celery carries: the bell, and the upkeep its scheduler asks for."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from jobs import bell, upkeep, worker


@shared_task(name=bell.TASK, ignore_result=True)
def ring() -> None:
    """Work waits: wake this process's slots."""
    worker.wake_this_process()


@shared_task(name="jobs.upkeep")
def keep_up() -> dict[str, Any]:
    """Forget what is past its time; what went is kept as the task's result."""
    return upkeep.run()


@shared_task(name="jobs.echo", ignore_result=False)
def echo() -> str:
    """What the self-test sends: whoever hears it answers."""
    return "heard"
