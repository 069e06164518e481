"""The runners of this worker process: one for each device, made when a job first needs it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection
from typing import Any

import structlog
from django.conf import settings

from jobs import metrics
from jobs.generation import engines
from runners import devices
from runners.supervision import Keeper, Listener

log = structlog.get_logger(__name__)

_lock = threading.Lock()
_keepers: dict[str, Keeper] = {}
# Which model a runner was last given, by device: the registry's id of what it may still hold.
_models: dict[str, tuple[str, uuid.UUID]] = {}
_peaks: dict[str, int] = {}  # bytes of a device that the last request took at most


class _Idle(Listener):
    """Hears of a runner that ended between jobs, when there is no job's log to write to."""

    def __init__(self, slot: str) -> None:
        self._slot = slot

    def device_memory(self, before: int | None, after: int | None, peak: int) -> None:
        log.info("idle_runner_ended", device=self._slot, before=before, after=after, peak=peak)
        measured(self._slot, before, after, peak)


def of(slot: str) -> Keeper:
    """The keeper of a worker's slot."""
    with _lock:
        if slot not in _keepers:
            engine = engines.chosen()
            device = engines.device_of(slot, engine)
            keep_alive_s = settings.RUNNER_KEEP_ALIVE_S
            _keepers[slot] = Keeper(engine.name, device, keep_alive_s, idle=_Idle(slot))
        return _keepers[slot]


def gave(slot: str, sha256: str, model_id: uuid.UUID) -> None:
    _models[slot] = (sha256, model_id)


def warm(slot: str) -> tuple[uuid.UUID, ...]:
    """The models that a job on this slot would not have to load."""
    keeper, given = _keepers.get(slot), _models.get(slot)
    if keeper is None or given is None or keeper.warm_model != given[0]:
        return ()
    return (given[1],)


def measured(slot: str, before: int | None, after: int | None, peak: int) -> None:
    """A runner told how much of its device it took."""
    metrics.gpu_memory(slot, before=before, after=after, peak=peak)
    if peak:
        _peaks[slot] = peak


def device_facts(slots: Collection[str]) -> dict[str, dict[str, Any]]:
    """Of each slot whose device the driver knows: what it is called, its memory, what is in use of
    it by anybody, and the peak of the last request."""
    if engines.chosen().name == "fake":
        return {}
    known = {device.name.removeprefix("cuda:"): device for device in devices.found()}
    return {slot: _facts(slot, known[slot]) for slot in slots if slot in known}


def _facts(slot: str, device: devices.Device) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "label": device.label,
        "total": device.total_bytes,
        "used": device.used_bytes,
    }
    return facts | ({"peak": _peaks[slot]} if slot in _peaks else {})


def close() -> None:
    """End every runner: the worker stops."""
    with _lock:
        for keeper in _keepers.values():
            keeper.close()
        _keepers.clear()
