"""Drawing: what a worker does for a job of type `generate`."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.errors import AttemptFailed
from jobs.generation import keepers, plans, recipe, storing
from jobs.generation.plans import Plan
from jobs.generation.storing import Place
from jobs.patience import persist
from jobs.run import Run
from registry import catalog, selection
from registry.errors import InvalidModel
from registry.models import Model
from runners import protocol
from runners.errors import RunnerError
from runners.protocol import (
    Finalizing,
    ItemDone,
    ItemStarted,
    Loaded,
    Loading,
    Note,
    ToParent,
)
from runners.supervision import Limits, Listener

STEP = "generate"
OUT_PREFIX = "draw-"
ABANDONED_AFTER_S = 60.0  # a folder is made a moment before it is locked
PASSING = ("worker_lost", "storage_error")
# A process that died says little about the request: the next may well live. How often that is tried
# is bounded as for every job, and what kills each of them ends among the dead letters.
DIED = ("crash:", "exit:")


def generate(run: Run) -> dict[str, Any]:
    """Every image that no attempt before has made."""
    count = int(run.params["count"])
    with run.step(STEP) as step:
        made = run.finished_items(step)
        for index in sorted(made):
            run.finish_item(index)
        if len(made) < count:
            _draw(run, [index for index in range(count) if index not in made])
    return {"count": count, "completed": count}


def _draw(run: Run, indices: list[int]) -> None:
    model = _model(run)
    plan = plans.make(run.params, model, run.device)
    run.log("model.selected", **_told(model, plan))
    recipe.tell_seeds(run)
    with _out_dir() as folder:
        _draw_with(run, plan, model, indices, folder)


def _draw_with(run: Run, plan: Plan, model: Model | None, indices: list[int], folder: Path) -> None:
    """With the plan, and on a device that is too small for it with the next smaller one."""
    drawing = _Drawing(run, set(indices))
    while True:
        left = sorted(drawing.left)
        request = recipe.request(run, model, plan, left, str(folder))
        try:
            keepers.of(run.device).draw(
                plan.model, plan.settings, request, _limits(run), drawing, run.stopping
            )
        except RunnerError as error:
            run.check()  # what ended the attempt from outside goes before how the runner took it
            smaller = plans.smaller(plan) if error.code == "oom" else None
            if smaller is None:
                raise _failed(error) from error
            run.log(
                "preset.stepped_down",
                f"{error.message} Going on with the preset {smaller.preset.name}.",
                level="warning",
                before=plan.preset.name,
                after=smaller.preset.name,
            )
            plan = smaller
        else:
            if model is not None:
                keepers.gave(run.device, plan.model.sha256, model.pk)
            return


def _model(run: Run) -> Model | None:
    """As it is now: it may have gone while the job waited."""
    wanted = run.params.get("model_id")
    if wanted is None:
        return None
    try:
        model = persist(lambda: selection.usable(uuid.UUID(wanted)))
    except InvalidModel as error:
        raise AttemptFailed("invalid_model", error.message) from error
    persist(lambda: catalog.used(model.pk))
    return model


def _told(model: Model | None, plan: Plan) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"preset": plan.preset.name, "engine": plan.engine}
    if model is None:
        return {**facts, "message": "No model: the images are pretended."}
    facts |= {"model_id": str(model.pk), "checkpoint_hash": model.checkpoint_hash}
    return {**facts, "message": f"{model.name} {model.version}"}


def _limits(run: Run) -> Limits:
    return Limits(item_s=settings.ITEM_TIMEOUT_S, load_s=settings.MODEL_LOAD_TIMEOUT_S)


def _failed(error: RunnerError) -> AttemptFailed:
    message = f"{error.message} ({error.reason})" if error.reason else error.message
    transient = error.code in PASSING or error.reason.startswith(DIED)
    return AttemptFailed(error.code, message, transient=transient, detail=error.detail)


@contextmanager
def _out_dir() -> Iterator[Path]:
    """A folder of this attempt's own. Its lock ends with the process that holds it, so what a
    killed worker left is removed by the next attempt."""
    below = settings.RUN_DIR / "images"
    below.mkdir(parents=True, exist_ok=True)
    for left in below.glob(f"{OUT_PREFIX}*"):
        _remove_abandoned(left)
    folder = Path(tempfile.mkdtemp(prefix=OUT_PREFIX, dir=below))
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_abandoned(folder: Path) -> None:
    with suppress(OSError):  # in use, or removed by another just now
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if time.time() - os.fstat(held).st_mtime > ABANDONED_AFTER_S:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)


@dataclass
class _Drawing(Listener):
    """Turns what the runner says into the job's progress, log and images."""

    run: Run
    left: set[int]

    def tick(self) -> None:
        self.run.pulse()

    def heard(self, message: ToParent) -> None:
        handler = getattr(self, f"_{type(message).__name__}", None)
        if handler is not None:
            handler(message)

    def device_memory(self, before: int | None, after: int | None, peak: int) -> None:
        if before is not None or peak:
            self.run.log("gpu.mem", before=before, after=after, peak=peak)
            keepers.measured(self.run.device, before, after, peak)

    def _Loading(self, said: Loading) -> None:  # noqa: N802  named as the messages are
        for index in self.left:
            self.run.progress(index, "load", said.fraction)

    def _Loaded(self, said: Loaded) -> None:  # noqa: N802
        self.run.log("model.loaded", seconds=round(said.seconds, 3))

    def _ItemStarted(self, said: ItemStarted) -> None:  # noqa: N802
        self.run.progress(said.index, "load", 1.0)
        self.run.log("seed.assigned", item_index=said.index, seed=said.seed)

    def _Step(self, said: protocol.Step) -> None:  # noqa: N802
        self.run.progress(said.index, "sampling", said.step / max(1, said.steps))

    def _Finalizing(self, said: Finalizing) -> None:  # noqa: N802
        self.run.progress(said.index, "sampling", 1.0)

    def _ItemDone(self, said: ItemDone) -> None:  # noqa: N802
        place = Place(self.run.owner_id, self.run.job_id, STEP)
        self.run.artifact(said.index, storing.store(place, said, self.run.wait))
        self.run.progress(said.index, "finalize", 1.0)
        self.left.discard(said.index)
        for path in filter(None, (said.path, said.thumbnail_path)):
            Path(path).unlink(missing_ok=True)

    def _Note(self, said: Note) -> None:  # noqa: N802
        self.run.log(f"runner.{said.code}", said.message, level=said.level)
