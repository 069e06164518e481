"""The job `mirror`: downloading files of tracked repositories."""

from __future__ import annotations

from typing import Any

from downloader import configured
from downloader.configured import Tools
from downloader.execution import beside
from downloader.hub import bringing, ending, registering, selecting, snapshots, syncing
from downloader.hub.errors import NotSynced
from downloader.hub.selecting import Wanted
from downloader.library.watch import Control
from jobs.patience import persist
from jobs.run import Run


def mirror(run: Run) -> dict[str, Any]:
    """Fetch, verify and show files; a second attempt fetches only what is missing."""
    force = bool(run.params.get("force"))
    with ending.the_attempt(), configured.tools() as tools:
        with run.step("resolve"):
            wanted = _wanted(run, tools)
            run.progress(0, "resolve", 1.0)
        with run.step("fetch"):
            done = bringing.bring(run, wanted, tools, moves=True, force=force)
    return {
        "count": 1,
        "completed": 1,
        "files": sum(len(one.stored) for one in done),
        "bytes_received": sum(one.received_bytes for one in done),
        "folders": [str(one.revision.folder) for one in done],
    }


def _wanted(run: Run, tools: Tools) -> list[Wanted]:
    if not run.params.get("fresh"):
        try:
            return persist(lambda: selecting.chosen(run.params))
        except NotSynced:
            pass
    _list(run, tools)
    return persist(lambda: selecting.chosen(run.params))


def _list(run: Run, tools: Tools) -> None:
    """Nobody has asked its source yet what it holds, or not since it changed."""
    repo = persist(lambda: registering.get(run.params["repo_id"]))
    control = Control()
    with syncing.noting_failure(repo):
        resolved = beside(run, control, lambda: syncing.ask(repo, tools, control))
    persist(lambda: snapshots.take(repo, resolved, configured.policy()))
