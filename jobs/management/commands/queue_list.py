"""`manage.py queue_list`: how deep the queues are, and who works on them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from jobs import queueing
from jobs.command_line import JobCommand
from registry.command_line import add_output

HEAD = ("QUEUE", "STATE", "WAITING", "RUNNING", "WORKERS", "REASON")


class Command(JobCommand):
    help = "List the queues."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        queues = queueing.overview()
        if options["output"] == "json":
            self.print_json(queues)
        else:
            self.print_table(HEAD, [_row(queue) for queue in queues])


def _row(queue: dict[str, Any]) -> tuple[Any, ...]:
    return (
        queue["name"],
        "paused" if queue["paused"] else "open",
        queue["depth"],
        queue["running"],
        len(queue["workers"]),
        queue["reason"] or "-",
    )
