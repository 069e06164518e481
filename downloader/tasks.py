"""What the scheduler asks of this room."""

from __future__ import annotations

from celery import shared_task

from downloader.hub import watching


@shared_task(name="downloader.watch", ignore_result=True)
def watch() -> None:
    """Look for news of what is tracked, unless somebody is looking already."""
    watching.start()
