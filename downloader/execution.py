"""What a worker does for this room's job types."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from downloader import configured, failures, metrics, recording, verification
from downloader.configured import Tools, Wanted
from downloader.library import acquisition
from downloader.library.acquisition import Acquired
from downloader.library.errors import DownloadError
from downloader.library.plan import Plan
from downloader.library.sources.base import Source
from downloader.library.watch import Control
from downloader.recording import Recorder, Subject
from jobs.errors import AttemptFailed
from jobs.patience import persist
from jobs.run import Run
from registry import catalog
from registry.errors import UnknownModel
from registry.models import Model

LOOK_EVERY_S = 0.25
T = TypeVar("T")


def download(run: Run) -> dict[str, Any]:
    """Resolve, fetch, verify, install, register; a second attempt fetches only what is missing."""
    wanted = Wanted(run.params["ref"], *(run.params.get(n) for n in ("kind", "name", "version")))
    try:
        with configured.tools() as tools:
            return _download(run, wanted, tools)
    except DownloadError as error:
        metrics.ended("failed")
        raise failures.attempt_failed(error) from error


def _download(run: Run, wanted: Wanted, tools: Tools) -> dict[str, Any]:
    control = Control()
    with run.step("resolve"):
        source, plan = beside(run, control, lambda: configured.prepare(wanted, tools, control))
        tell_plan(run, plan)
    return installed(run, source, plan, tools, control)


def installed(
    run: Run, source: Source, plan: Plan, tools: Tools, control: Control
) -> dict[str, Any]:
    """The steps after the plan is made: fetch what is missing, install, register."""
    with run.step("fetch"):
        acquired = _fetch(run, source, plan, tools, control)
    with run.step("register"):
        model_id = _register(run, acquired)
    metrics.ended("installed")
    return {"count": 1, "completed": 1, "model_id": str(model_id), **_sums(plan, acquired)}


def tell_plan(run: Run, plan: Plan) -> None:
    run.progress(0, "resolve", 1.0)
    run.log(
        "download.resolved",
        f"{plan.resolved.title}: {len(plan.files)} files to install.",
        source_uri=plan.resolved.source_uri,
        bytes_total=plan.bytes_total,
        bytes_needed=plan.bytes_needed,
        folder=str(plan.folder),
    )
    for note in (*plan.resolved.notes, *plan.warnings):
        run.log("download.note", note, level="warning" if note in plan.warnings else "info")


def _fetch(run: Run, source: Source, plan: Plan, tools: Tools, control: Control) -> Acquired:
    recorder = Recorder(run, Subject.of(plan, source.scheme))
    try:
        return beside(
            run,
            control,
            lambda: acquisition.acquire(
                source,
                plan,
                tools.store,
                tools.engine,
                control,
                recorder.listener,
                force=run.params.get("force", False),
            ),
            recorder.write_if_due,
        )
    finally:
        recorder.write()


def _register(run: Run, acquired: Acquired) -> uuid.UUID:
    enable = bool(run.params.get("enable", True))
    model = persist(lambda: catalog.record(acquired.descriptor, enable=enable))
    recording.installed(run.job_id, model.pk)
    run.log("download.registered", f"{model.name} is in the registry.", model_id=str(model.pk))
    run.progress(0, "register", 1.0)
    return model.pk


def _sums(plan: Plan, acquired: Acquired) -> dict[str, int]:
    return {
        "files": len(plan.files),
        "bytes_total": plan.bytes_total or 0,
        "bytes_received": acquired.received_bytes,
    }


def verify(run: Run) -> dict[str, Any]:
    """Hash a model's files, or all models', again; a model that differs is disabled."""
    asked = run.params.get("model_id")
    models = _to_verify(asked)
    damaged: list[str] = []
    try:
        with run.step("verify"), configured.tools() as tools:
            for at, model in enumerate(models, start=1):
                if not _verify_one(run, tools, model).whole:
                    damaged.append(str(model.pk))
                run.progress(0, "verify", at / len(models))
    except DownloadError as error:
        raise failures.attempt_failed(error) from error
    return {"count": len(models), "completed": len(models), "damaged": damaged}


def _to_verify(asked: str | None) -> list[Model]:
    try:
        return persist(lambda: verification.chosen([uuid.UUID(asked)] if asked else None))
    except UnknownModel as error:
        raise AttemptFailed("invalid_model", error.message) from error


def _verify_one(run: Run, tools: Tools, model: Model) -> verification.Verdict:
    control = Control()
    verdict = beside(
        run,
        control,
        lambda: verification.examine(model, tools, control, repair=run.params["repair"]),
    )
    persist(lambda: verification.settle(model, verdict))
    level = "info" if verdict.whole else "error"
    run.log("download.verified", verdict.told, level=level, model_id=str(model.pk))
    return verdict


def beside(
    run: Run, control: Control, work: Callable[[], T], meanwhile: Callable[[], None] | None = None
) -> T:
    """Do `work` in a thread of its own while this one keeps the job's promises: it listens for a
    cancel and writes what there is to tell. `work` must not touch the database."""
    thread = _Working(work)
    thread.start()
    try:
        while not thread.over.wait(LOOK_EVERY_S):
            run.check()
            if meanwhile is not None:
                meanwhile()
    except BaseException:
        control.cancel()
        thread.join()
        raise
    return thread.result()


class _Working(threading.Thread, Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(name="download", daemon=True)
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self.over = threading.Event()

    def run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001  raised again by `result`, in the job's thread
            self._error = error
        finally:
            self.over.set()

    def result(self) -> T:
        self.join()
        if self._error is not None:
            raise self._error
        return self._result[0]
