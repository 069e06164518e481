"""`manage.py model_verify ID|NAME|REF|--all`: hash installed files again; exit 1 if one differs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from downloader import configured, kinds, starting, verification
from downloader.command_line import Display, ModelCommand, interruptible
from downloader.failures import FAILED, USAGE
from downloader.library.install import State
from downloader.library.watch import Control
from downloader.verification import Verdict
from registry.models import Model


class Command(ModelCommand):
    changes_things = True
    help = "Hash the files of installed models again. Exit 1 and a list when something differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", nargs="?", metavar="ID|NAME|REF")
        parser.add_argument("--all", action="store_true", help="every model")
        parser.add_argument(
            "--repair", action="store_true", help="fetch what is missing or damaged again"
        )
        parser.add_argument(
            "--fix-enabled", action="store_true", help="disable the models that differ"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        models = _chosen(options["model"], options["all"])
        control = Control()
        verdicts = []
        with configured.tools() as tools, interruptible(control):
            for model in models:
                wanted = {"model_id": str(model.pk), "repair": options["repair"]}
                starting.begun(kinds.VERIFY.name, wanted, self.by)
                sizes = {file.path: file.size for file in model.files}
                with Display(sizes, quiet=options["json"]) as display:
                    verdict = verification.examine(
                        model, tools, control, display, repair=options["repair"]
                    )
                if options["fix_enabled"] or options["repair"]:
                    verification.settle(model, verdict, by=self.by)
                verdicts.append(verdict)
                self.say(verdict.told)
        self._tell(verdicts, as_json=options["json"])
        if any(verdict.differed for verdict in verdicts):
            raise CommandError("Some files differ.", returncode=FAILED)

    def _tell(self, verdicts: list[Verdict], *, as_json: bool) -> None:
        if as_json:
            self.print_json([described(verdict) for verdict in verdicts])
            return
        rows = [
            (verdict.name, path, state.value, "repaired" if path in verdict.repaired else "")
            for verdict in verdicts
            for path, state in verdict.states.items()
            if state is not State.WHOLE
        ]
        if rows:
            self.print_table(("MODEL", "FILE", "STATE", ""), rows)


def described(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": str(verdict.model_id),
        "name": verdict.name,
        "whole": verdict.whole,
        "problem": verdict.gone or None,
        "missing": verdict.count(State.MISSING),
        "corrupt": verdict.count(State.CORRUPT),
        "repaired": list(verdict.repaired),
        "files": {path: state.value for path, state in verdict.states.items()},
    }


def _chosen(text: str | None, everything: bool) -> list[Model]:
    if (text is None) != everything:
        raise CommandError("Takes one model, or --all.", returncode=USAGE)
    return verification.chosen(None) if text is None else verification.meant(text)
