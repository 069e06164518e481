"""`manage.py model_download REF`: resolve, fetch, verify, install and register a model, here and
now. ^C leaves what was fetched; the same command goes on from there."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.core.management.base import CommandParser

from downloader import configured, metrics
from downloader.command_line import Display, ModelCommand, human, interruptible, timed
from downloader.configured import Tools, Wanted
from downloader.library import acquisition
from downloader.library.acquisition import Acquired
from downloader.library.plan import Plan, PlannedFile
from downloader.library.sources.base import Source
from downloader.library.watch import Control
from jobs.command_line import count
from registry import catalog
from registry.kinds import KINDS
from registry.models import Model

HEAD = ("FILE", "SIZE", "HERE", "DIGEST")
MOST_CONNECTIONS = 64


class Command(ModelCommand):
    changes_things = True
    help = (
        "Download, verify, install and register a model. REF is hf:<repo>[@<revision>][#<file>], "
        "civitai:<model, version or page>[@<version>][#<file>], or the address of a page."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version gives way to the model's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ref", metavar="REF")
        parser.add_argument("--name", help="the model's name (default: the source's)")
        parser.add_argument("--version", dest="model_version", help="(default: the source's)")
        parser.add_argument("--kind", choices=KINDS, help="(default: guessed from the files)")
        parser.add_argument(
            "--enable",
            action=BooleanOptionalAction,
            default=True,
            help="whether jobs may use it (default: yes)",
        )
        parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
        parser.add_argument(
            "--force", action="store_true", help="replace other bytes of this name and version"
        )
        parser.add_argument("--concurrency", type=count(MOST_CONNECTIONS), metavar="N")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Wanted(options["ref"], options["kind"], options["name"], options["model_version"])
        control = Control()
        with configured.tools(options["concurrency"]) as tools, interruptible(control):
            source, plan = configured.prepare(wanted, tools, control)
            if options["dry_run"]:
                return self._show(plan, as_json=options["json"])
            acquired, took_s = timed(
                lambda: self._acquire(source, plan, tools, control, options["force"])
            )
        metrics.received(source.scheme, acquired.received_bytes)
        model = catalog.record(acquired.descriptor, enable=options["enable"], by=self.by)
        self._tell(model, acquired, took_s, as_json=options["json"])
        return None

    def _acquire(
        self, source: Source, plan: Plan, tools: Tools, control: Control, force: bool
    ) -> Acquired:
        for note in (*plan.resolved.notes, *plan.warnings):
            self.say(note)
        sizes = {file.path: file.file.size for file in plan.files}
        with Display(sizes) as display:
            return acquisition.acquire(
                source, plan, tools.store, tools.engine, control, display, force=force
            )

    def _show(self, plan: Plan, *, as_json: bool) -> None:
        if as_json:
            self.print_json(described(plan))
            return
        resolved = plan.resolved
        self.print_table(HEAD, [_row(file) for file in plan.files])
        self.say(f"{resolved.title} ({resolved.source_uri})")
        self.say(f"into {plan.folder}, kind {plan.kind}")
        self.say(f"{human(plan.bytes_total)}, of which {human(plan.bytes_needed)} to fetch")
        self.say(f"licence: {resolved.licence or 'not stated'}; gated: {_yes(resolved.gated)}")
        for file, why in plan.skipped:
            self.say(f"skipped {file.path}: {why}")
        for note in (*resolved.notes, *plan.warnings):
            self.say(note)

    def _tell(self, model: Model, acquired: Acquired, took_s: float, *, as_json: bool) -> None:
        if as_json:
            facts = {
                "received_bytes": acquired.received_bytes,
                "already_here_bytes": acquired.already_here_bytes,
            }
            known = {"id": str(model.pk), "enabled": model.enabled}
            self.print_json({**acquired.descriptor.to_json(), **known, **facts})
            return
        self.stdout.write(str(model.pk))
        received = human(acquired.received_bytes)
        state = "enabled" if model.enabled else "disabled"
        self.say(
            f"{model.name} {model.version} is installed ({received} in {took_s:.1f} s, {state})."
        )


def described(plan: Plan) -> dict[str, Any]:
    """A plan as JSON."""
    resolved = plan.resolved
    return {
        "source_uri": resolved.source_uri,
        "title": resolved.title,
        "kind": plan.kind,
        "name": plan.name,
        "version": plan.version,
        "folder": str(plan.folder),
        "licence": resolved.licence,
        "gated": resolved.gated,
        "bytes_total": plan.bytes_total,
        "bytes_needed": plan.bytes_needed,
        "files": [
            {
                "path": file.path,
                "size": file.file.size,
                "present": file.present,
                "digest": str(file.file.digest) if file.file.digest else None,
            }
            for file in plan.files
        ],
        "skipped": [{"path": file.path, "reason": why} for file, why in plan.skipped],
        "notes": list(resolved.notes),
        "warnings": list(plan.warnings),
    }


def _row(file: PlannedFile) -> tuple[str, str, str, str]:
    digest = file.file.digest
    shown = f"{digest.algorithm}:{digest.value[:12]}" if digest else "-"
    return file.path, human(file.file.size), _yes(file.present), shown


def _yes(value: bool) -> str:
    return "yes" if value else "no"
