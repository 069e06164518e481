"""From the hub to the registry: the job `install` makes a model of what is tracked.

The list of files is the one that a sync wrote down, so its source is asked for missing bytes only:
what is here is installed although the source cannot be reached.
"""

from __future__ import annotations

from typing import Any

from downloader import configured, execution, metrics
from downloader.configured import Tools
from downloader.hub import ending, registering, selecting, snapshots
from downloader.library import plan
from downloader.library.plan import Plan
from downloader.library.remote import Resolved
from downloader.library.sources.base import Source
from downloader.library.watch import Control
from jobs.errors import AttemptFailed
from jobs.patience import persist
from jobs.run import Run


def install(run: Run) -> dict[str, Any]:
    """Choose, fetch what is missing, install and register."""
    try:
        with ending.the_attempt(), configured.tools() as tools:
            with run.step("resolve"):
                resolved = persist(lambda: _known(run.params))
                source, made = planned(resolved, tools, **_wishes(run.params))
                execution.tell_plan(run, made)
            return execution.installed(run, source, made, tools, Control())
    except AttemptFailed:
        metrics.ended("failed")
        raise


def _known(params: dict[str, Any]) -> Resolved:
    repo = registering.get(params["repo_id"])
    return snapshots.resolved(repo, selecting.snapshot_of(repo, params.get("commit")))


def _wishes(params: dict[str, Any]) -> dict[str, Any]:
    return {name: params.get(name) for name in ("kind", "name", "version", "path")}


def planned(
    resolved: Resolved,
    tools: Tools,
    *,
    kind: str | None = None,
    name: str | None = None,
    version: str | None = None,
    path: str | None = None,
) -> tuple[Source, Plan]:
    """What would be installed; DownloadError when that is nothing, or may not be."""
    source, _ = configured.source_for(resolved.source_uri, tools.client)
    made = plan.make(
        resolved,
        policy=configured.policy(),
        present=configured.present_in(tools.store),
        kind=kind,
        name=name,
        version=version,
        patterns=(path,) if path else (),
    )
    return source, made
