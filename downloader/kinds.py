"""The job types of this room."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobs.kinds import Kind

# A large model over a slow line takes days; what stalls is ended by the transfer itself.
LONGEST_S = 7 * 86_400
AUDITOR = "downloader.starting.started"
A_DAY_S = 86_400
ADD = "downloader.add_download"
CHANGE = "downloader.change_download"


def _model_id(params: dict[str, Any]) -> uuid.UUID | None:
    return uuid.UUID(params["model_id"]) if params.get("model_id") else None


def _kind(
    name: str,
    serializer: str,
    executor: str,
    stages: Mapping[str, float],
    *,
    permission: str = ADD,
    timeout_s: int = LONGEST_S,
) -> Kind:
    """All of them wait in one queue, and each step of theirs is a stage of their progress."""
    return Kind(
        name=name,
        queue="io",
        serializer=serializer,
        executor=executor,
        steps=tuple(stages),
        stages=stages,
        permission=permission,
        scope="models",
        timeout_s=timeout_s,
        auditor=AUDITOR,
    )


DOWNLOAD = _kind(
    "download",
    "downloader.api.parameters.DownloadSerializer",
    "downloader.execution.download",
    {"resolve": 0.01, "fetch": 0.98, "register": 0.01},
)
VERIFY = replace(
    _kind(
        "verify",
        "downloader.api.parameters.VerifySerializer",
        "downloader.execution.verify",
        {"verify": 1.0},
        permission=CHANGE,
    ),
    model_id=_model_id,
)
SYNC = _kind(
    "sync",
    "downloader.hub.api.parameters.SyncSerializer",
    "downloader.hub.syncing.sync",
    {"list": 0.3, "fetch": 0.7},
)
MIRROR = _kind(
    "mirror",
    "downloader.hub.api.parameters.MirrorSerializer",
    "downloader.hub.mirroring.mirror",
    {"resolve": 0.02, "fetch": 0.98},
)
INSTALL = _kind(
    "install",
    "downloader.hub.api.parameters.InstallSerializer",
    "downloader.hub.installing.install",
    {"resolve": 0.01, "fetch": 0.98, "register": 0.01},
)
WATCH = _kind(
    "watch",
    "downloader.hub.api.watch_parameters.WatchSerializer",
    "downloader.hub.watching.watch",
    {"watch": 1.0},
    timeout_s=A_DAY_S,
)
UPDATE = _kind(
    "update",
    "downloader.hub.api.watch_parameters.UpdateSerializer",
    "downloader.hub.updating.update",
    {"list": 0.1, "fetch": 0.9},
)
SCAN = _kind(
    "scan",
    "downloader.hub.api.reconcile_parameters.ScanSerializer",
    "downloader.hub.scanning.scan",
    {"scan": 1.0},
)
HUB_VERIFY = _kind(
    "hub_verify",
    "downloader.hub.api.reconcile_parameters.HubVerifySerializer",
    "downloader.hub.scrubbing.verify",
    {"verify": 0.9, "fetch": 0.1},
    permission=CHANGE,
)
SCRUB = _kind(
    "scrub",
    "downloader.hub.api.reconcile_parameters.ScrubSerializer",
    "downloader.hub.scrubbing.scrub",
    {"verify": 1.0},
    permission=CHANGE,
    timeout_s=A_DAY_S,
)
ALL = (DOWNLOAD, VERIFY, SYNC, MIRROR, INSTALL, WATCH, UPDATE, SCAN, HUB_VERIFY, SCRUB)
TYPES = tuple(kind.name for kind in ALL)
