"""Job types for tests: `trial` works item by item and breaks where it is told to.

`fault` names what happens at item `at`, in attempts up to `until_attempt`; `gpu_trial` is the same
on the other queue.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from rest_framework import serializers

from jobs.artifacts import Drawn
from jobs.errors import AttemptFailed
from jobs.kinds import Kind
from jobs.run import Run

TIMEOUT_S = 120
SHORT_TIMEOUT_S = 2
LET_GO = threading.Event()  # lets a test in the same process end deafness


def _kill(_run: Run) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit(_run: Run) -> None:
    os._exit(1)


def _segfault(_run: Run) -> None:
    ctypes.string_at(0)


def _leave(_run: Run) -> None:
    sys.exit("an executor that ends the interpreter")


def _run_out_of_memory(_run: Run) -> None:
    raise MemoryError


def _raise(_run: Run) -> None:
    raise RuntimeError("a NUL \x00 and half a character \ud800")


def _lose_storage(_run: Run) -> None:
    raise AttemptFailed("storage_error", "The storage went away.")


def _break_connection(_run: Run) -> None:
    raise ConnectionResetError("the other side hung up")


def _speak_nonsense(run: Run) -> None:
    run.log("note", "NUL \x00, half a character \ud800", number=float("nan"), thing=object())


def _go_deaf(_run: Run) -> None:
    LET_GO.wait()


def _hold_the_interpreter(_run: Run) -> None:
    ctypes.PyDLL(None).sleep(3600)


def _family(run: Run) -> subprocess.Popen[bytes]:
    """A child in a session of its own that ignores TERM, and its child."""
    family = "trap '' TERM; (trap '' TERM; sleep 3600) & wait"
    started = subprocess.Popen(["bash", "-c", family], start_new_session=True)
    run.log("family.started")
    run.flush()
    return started


def _start_a_family(run: Run) -> None:
    """Then listen to nobody."""
    _family(run)
    _go_deaf(run)


def _wait_for_a_family(run: Run) -> None:
    """What a program that hangs looks like to its executor."""
    _family(run).wait()
    raise RuntimeError("the program ended without a result")


FAULTS: dict[str, Callable[[Run], None]] = {
    "kill": _kill,
    "exit": _exit,
    "segfault": _segfault,
    "leave": _leave,
    "memory": _run_out_of_memory,
    "raise": _raise,
    "storage": _lose_storage,
    "connection": _break_connection,
    "nonsense": _speak_nonsense,
    "deaf": _go_deaf,
    "frozen": _hold_the_interpreter,
    "family": _start_a_family,
    "hung": _wait_for_a_family,
}


class TrialSerializer(serializers.Serializer[Any]):
    items = serializers.IntegerField(min_value=1, max_value=1000, default=1)
    item_ms = serializers.IntegerField(min_value=0, max_value=600_000, default=0)
    fault = serializers.ChoiceField(sorted(FAULTS), allow_blank=True, default="")
    at = serializers.IntegerField(min_value=0, default=0)
    until_attempt = serializers.IntegerField(min_value=0, default=1000)
    draws = serializers.BooleanField(default=False)


def execute(run: Run) -> dict[str, Any]:
    with run.step("run") as step:
        done = run.finished_items(step)
        for item in range(run.params["items"]):
            if item not in done:
                _work_on(run, item)
            run.progress(item, "run", 1.0)
    return {"count": run.params["items"], "completed": run.params["items"]}


def _work_on(run: Run, item: int) -> None:
    run.log("item.start", item_index=item)
    run.flush()
    if _breaks(run, item):
        FAULTS[run.params["fault"]](run)
    run.wait(run.params["item_ms"] / 1000)
    if run.params["draws"]:
        _draw(run, item)


def _breaks(run: Run, item: int) -> bool:
    fault, at, until_attempt = (run.params[name] for name in ("fault", "at", "until_attempt"))
    return bool(fault) and at == item and run.attempt <= until_attempt


def _draw(run: Run, item: int) -> None:
    content = f"{run.job_id} {item} {run.attempt}".encode()
    key = f"trial/{run.job_id}/{item}_{run.lease.claim}.png"
    default_storage.save(key, ContentFile(content))
    run.artifact(
        item,
        Drawn(
            s3_key=key,
            format="png",
            content_type="image/png",
            width=8,
            height=8,
            seed=item,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
        ),
    )


TRIAL = Kind(
    name="trial",
    queue="io",
    serializer="tests.jobs.kinds.TrialSerializer",
    executor="tests.jobs.kinds.execute",
    timeout_s=TIMEOUT_S,
    item_count=lambda params: int(params["items"]),
)
GPU_TRIAL = replace(TRIAL, name="gpu_trial", queue="gpu")
HASTY = replace(TRIAL, name="hasty", timeout_s=SHORT_TIMEOUT_S)
