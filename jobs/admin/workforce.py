"""Who works on which queue: workers, their devices, and the models these hold in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.utils.dateparse import parse_datetime

from jobs import queueing
from jobs.models import Job
from jobs.states import State
from registry.models import Model


@dataclass(frozen=True)
class Device:
    """Bytes are None where no driver told."""

    name: str
    models: list[str]
    label: str = ""
    total: int | None = None
    used: int | None = None
    peak: int | None = None


def queues() -> list[dict[str, Any]]:
    """The overview, each worker with its devices and how many jobs it works on."""
    overview = queueing.overview()
    workers = [worker for queue in overview for worker in queue["workers"]]
    names, busy = _names(workers), _busy()
    for queue in overview:
        queue["slots"] = sum(worker["slots"] for worker in queue["workers"])
        for worker in queue["workers"]:
            models = [names.get(model, "a removed model") for model in worker["warm_models"]]
            worker["models"] = models
            worker["busy"] = busy.get(worker["id"], 0)
            worker["since"] = parse_datetime(worker["started_at"])
            if queue["name"] == "gpu":
                worker["cards"] = _cards(worker, models)
    return overview


def devices(overview: list[dict[str, Any]]) -> list[Device]:
    """Of every worker that draws."""
    return [
        card
        for queue in overview
        for worker in queue["workers"]
        for card in worker.get("cards", ())
    ]


def _cards(worker: dict[str, Any], models: list[str]) -> list[Device]:
    facts = worker["device_facts"]
    return [_card(str(name), models, facts.get(str(name), {})) for name in worker["devices"]]


def _card(name: str, models: list[str], told: dict[str, Any]) -> Device:
    """A worker of another version may tell more."""
    total, used, peak = (told.get(fact) for fact in ("total", "used", "peak"))
    return Device(name, models, told.get("label", ""), total, used, peak)


def _names(workers: list[dict[str, Any]]) -> dict[str, str]:
    wanted = {model for worker in workers for model in worker["warm_models"]}
    rows = Model.objects.filter(pk__in=wanted).values_list("pk", "name") if wanted else ()
    return {str(pk): name for pk, name in rows}


def _busy() -> dict[str, int]:
    running = Job.objects.filter(status=State.RUNNING).order_by()
    return dict(running.values_list("lease_holder").annotate(n=Count("pk")))
