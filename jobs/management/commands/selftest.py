"""`manage.py selftest`: proves that database, broker, worker and stream work together."""

from __future__ import annotations

import dataclasses
import sys
from argparse import ArgumentParser
from typing import Any

from jobs.command_line import JobCommand, count

LONGEST_S = 3600


class Command(JobCommand):
    help = "Send one small job through the running service; exit 1 and say which part is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--timeout", type=count(LONGEST_S), default=30, help="seconds for all of it (30)"
        )
        parser.add_argument("--json", action="store_true", help="print a JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        from jobs.diagnosis import Trial

        findings = []
        for finding in Trial(options["timeout"]).run():
            findings.append(finding)
            if not options["json"]:
                verdict = "ok" if finding.ok else "BROKEN"
                cells = [finding.part, verdict, f"{finding.took_ms} ms", finding.message]
                self.stdout.write("  ".join(cells))
        if options["json"]:
            self.print_json([dataclasses.asdict(finding) for finding in findings])
        sys.exit(0 if all(finding.ok for finding in findings) else 1)
