"""The job types of this room."""

from __future__ import annotations

import uuid
from typing import Any

from jobs.kinds import Kind

# A large model over a slow line takes days; what stalls is ended by the transfer itself.
LONGEST_S = 7 * 86_400


def _model_id(params: dict[str, Any]) -> uuid.UUID | None:
    return uuid.UUID(params["model_id"]) if params.get("model_id") else None


DOWNLOAD = Kind(
    name="download",
    queue="io",
    serializer="downloader.api.parameters.DownloadSerializer",
    executor="downloader.execution.download",
    steps=("resolve", "fetch", "register"),
    stages={"resolve": 0.01, "fetch": 0.98, "register": 0.01},
    permission="downloader.add_download",
    scope="models",
    timeout_s=LONGEST_S,
)
VERIFY = Kind(
    name="verify",
    queue="io",
    serializer="downloader.api.parameters.VerifySerializer",
    executor="downloader.execution.verify",
    steps=("verify",),
    stages={"verify": 1.0},
    permission="downloader.change_download",
    scope="models",
    timeout_s=LONGEST_S,
    model_id=_model_id,
)
SYNC = Kind(
    name="sync",
    queue="io",
    serializer="downloader.hub.api.parameters.SyncSerializer",
    executor="downloader.hub.syncing.sync",
    steps=("list", "fetch"),
    stages={"list": 0.3, "fetch": 0.7},
    permission="downloader.add_download",
    scope="models",
    timeout_s=LONGEST_S,
)
MIRROR = Kind(
    name="mirror",
    queue="io",
    serializer="downloader.hub.api.parameters.MirrorSerializer",
    executor="downloader.hub.mirroring.mirror",
    steps=("resolve", "fetch"),
    stages={"resolve": 0.02, "fetch": 0.98},
    permission="downloader.add_download",
    scope="models",
    timeout_s=LONGEST_S,
)
INSTALL = Kind(
    name="install",
    queue="io",
    serializer="downloader.hub.api.parameters.InstallSerializer",
    executor="downloader.hub.installing.install",
    steps=("resolve", "fetch", "register"),
    stages={"resolve": 0.01, "fetch": 0.98, "register": 0.01},
    permission="downloader.add_download",
    scope="models",
    timeout_s=LONGEST_S,
)
WATCH = Kind(
    name="watch",
    queue="io",
    serializer="downloader.hub.api.watch_parameters.WatchSerializer",
    executor="downloader.hub.watching.watch",
    steps=("watch",),
    stages={"watch": 1.0},
    permission="downloader.add_download",
    scope="models",
    timeout_s=86_400,
)
SCAN = Kind(
    name="scan",
    queue="io",
    serializer="downloader.hub.api.reconcile_parameters.ScanSerializer",
    executor="downloader.hub.scanning.scan",
    steps=("scan",),
    stages={"scan": 1.0},
    permission="downloader.add_download",
    scope="models",
    timeout_s=LONGEST_S,
)
HUB_VERIFY = Kind(
    name="hub_verify",
    queue="io",
    serializer="downloader.hub.api.reconcile_parameters.HubVerifySerializer",
    executor="downloader.hub.scrubbing.verify",
    steps=("verify", "fetch"),
    stages={"verify": 0.9, "fetch": 0.1},
    permission="downloader.change_download",
    scope="models",
    timeout_s=LONGEST_S,
)
SCRUB = Kind(
    name="scrub",
    queue="io",
    serializer="downloader.hub.api.reconcile_parameters.ScrubSerializer",
    executor="downloader.hub.scrubbing.scrub",
    steps=("verify",),
    stages={"verify": 1.0},
    permission="downloader.change_download",
    scope="models",
    timeout_s=86_400,
)
UPDATE = Kind(
    name="update",
    queue="io",
    serializer="downloader.hub.api.watch_parameters.UpdateSerializer",
    executor="downloader.hub.updating.update",
    steps=("list", "fetch"),
    stages={"list": 0.1, "fetch": 0.9},
    permission="downloader.add_download",
    scope="models",
    timeout_s=LONGEST_S,
)
TYPES = (
    DOWNLOAD.name,
    VERIFY.name,
    SYNC.name,
    MIRROR.name,
    INSTALL.name,
    WATCH.name,
    UPDATE.name,
    SCAN.name,
    HUB_VERIFY.name,
    SCRUB.name,
)
