"""What the hub's commands share: a job done before one's eyes, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from downloader import showing
from downloader.command_line import ModelCommand, human, interruptible
from downloader.failures import DISK_FULL, FAILED, UPSTREAM
from downloader.hub import foreground
from downloader.hub.foreground import Failed
from downloader.library.watch import Control
from jobs.command_line import plain
from jobs.models import Job

EXIT_CODES = {"storage_error": DISK_FULL, "provider_error": UPSTREAM}


class HubCommand(ModelCommand):
    def do(self, type_name: str, params: Mapping[str, Any]) -> Job:
        """The job, done here; its failure becomes an exit code."""
        control = Control()
        given = {name: value for name, value in params.items() if value is not None}
        with interruptible(control), Bar() as bar:
            try:
                job = foreground.do(type_name, given, control, bar.show, by=self.by)
            except Failed as failed:
                job = failed.job
                code = EXIT_CODES.get(job.error_code, FAILED)
                raise CommandError(plain(job.error_message), returncode=code) from failed
        self._warn(job)
        return job

    def _warn(self, job: Job) -> None:
        for line in showing.last_lines(job):
            if line["level"] in ("warning", "error"):
                self.say(line["message"])


class Bar:
    """One line that tells how far a job is; nothing where there is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True, highlight=False)
        self._live = console.is_terminal
        self._progress = Progress(
            BarColumn(), TextColumn("{task.description}", markup=False), console=console
        )

    def __enter__(self) -> Bar:
        if self._live:
            self._task = self._progress.add_task("", total=100)
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._progress.stop()

    def show(self, job: Job) -> None:
        if not self._live:
            return
        shown = showing.summary(showing.downloads(Job.objects.filter(pk=job.pk)).get())
        told = f"{shown['progress_pct']:.0f} %"
        if shown["bytes_total"]:
            told += f", {human(shown['bytes_done'])} of {human(shown['bytes_total'])}"
        self._progress.update(self._task, completed=shown["progress_pct"], description=told)
