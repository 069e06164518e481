"""`manage.py hub_export MODEL|REPO… --to DIR|FILE.tar`: a signed bundle for another machine."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from downloader import configured
from downloader.command_line import Display, ModelCommand, human, interruptible
from downloader.failures import NOT_FOUND, USAGE
from downloader.hub import bundle_keys, bundling
from downloader.library.bundles import MANIFEST, MANIFEST_BYTES, parsing
from downloader.library.bundles import manifest as manifests
from downloader.library.bundles.manifest import Manifest
from downloader.library.watch import Control


class Command(ModelCommand):
    help = (
        "Write models and tracked repositories into a folder or a tar, signed, for a machine that "
        "may have no network. With --since only the bytes that it lacks."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "selection", nargs="*", metavar="MODEL|REPO", help="id, name, or author/name[@revision]"
        )
        parser.add_argument("--all", action="store_true", help="everything that is here")
        parser.add_argument("--to", type=Path, metavar="DIR|FILE.tar")
        parser.add_argument(
            "--since",
            type=Path,
            action="append",
            default=[],
            metavar="MANIFEST",
            help="an earlier bundle's manifest, or the other machine's inventory",
        )
        parser.add_argument("--dry-run", action="store_true", help="only tell what it would write")
        parser.add_argument(
            "--inventory", action="store_true", help="print what is here, for --since elsewhere"
        )
        parser.add_argument("--key", action="store_true", help="print the id of our own key")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"]:
            self.stdout.write(bundle_keys.own_key().id)
            return
        store = configured.store()
        if options["inventory"]:
            self.print_json(manifests.inventory(bundling.inventory(store)))
            return
        _check_usage(options)
        choice = bundling.everything() if options["all"] else bundling.chosen(options["selection"])
        known = frozenset[str]().union(*(_known(path) for path in options["since"]))
        manifest = bundling.manifest_of(choice, store, known)
        if not options["dry_run"]:
            self._write(manifest, options["to"], quiet=options["json"])
        self._tell(manifest, options)

    def _write(self, manifest: Manifest, to: Path, *, quiet: bool) -> None:
        control = Control()
        with interruptible(control), Display(manifest.carried, quiet=quiet) as display:
            bundling.export(manifest, to, control, display)

    def _tell(self, manifest: Manifest, options: dict[str, Any]) -> None:
        carried = manifest.carried
        if options["json"]:
            self.print_json(
                {
                    "key_id": bundle_keys.own_key().id,
                    "to": str(options["to"]) if options["to"] else None,
                    "dry_run": options["dry_run"],
                    "models": [str(model.id) for model in manifest.models],
                    "repos": [str(repo) for repo in manifest.repos],
                    "blobs": len(carried),
                    "bytes": sum(carried.values()),
                    "left_out": len(manifest.left_out),
                }
            )
            return
        verb = "would hold" if options["dry_run"] else "holds"
        self.say(
            f"The bundle {verb} {len(manifest.models)} models and {len(manifest.repos)} "
            f"repositories: {len(carried)} files, {human(sum(carried.values()))}; "
            f"{len(manifest.left_out)} files are there already."
        )
        self.say(f"It is signed by the key {bundle_keys.own_key().id}.")


def _check_usage(options: dict[str, Any]) -> None:
    if bool(options["selection"]) == options["all"]:
        raise CommandError("Takes models and repositories, or --all.", returncode=USAGE)
    if options["to"] is None and not options["dry_run"]:
        raise CommandError("--to names a folder or a file that ends in .tar.", returncode=USAGE)


def _known(path: Path) -> frozenset[str]:
    """`path` may also be the folder of an earlier bundle."""
    try:
        with os.fdopen(os.open(path / MANIFEST if path.is_dir() else path, os.O_RDONLY), "rb") as f:
            return parsing.known_blobs(f.read(MANIFEST_BYTES))
    except OSError as error:
        raise CommandError(
            f"--since: {path} cannot be read: {error.strerror}.", returncode=NOT_FOUND
        ) from error
