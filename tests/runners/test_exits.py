"""How a child ended, told as why."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.child.troubles import failure_of
from runners.errors import InvalidModel
from runners.supervision import exits

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("returncode", "kills", "stderr", "code", "reason"),
    [
        (-9, 1, "", "oom", "host_oom"),
        (-9, 0, "", "worker_lost", "crash:SIGKILL"),
        (-15, 0, "", "worker_lost", "crash:SIGTERM"),
        (-11, 1, "", "provider_error", "crash:SIGSEGV"),
        (-6, 0, "std::bad_alloc", "oom", "host_oom"),
        (1, 0, "MemoryError", "oom", "host_oom"),
        (1, 0, "Traceback", "provider_error", "exit:1"),
        (-99, 0, "", "provider_error", "crash:signal 99"),
    ],
)
def test_an_exit_has_a_code_and_a_reason(
    returncode: int, kills: int, stderr: str, code: str, reason: str
) -> None:
    error = exits.classify(returncode, oom_kills=kills, stderr=stderr)
    assert (error.code, error.reason, error.detail) == (code, reason, stderr)


def test_the_kernels_count_of_killed_processes_is_read(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("nr_free_pages 5\noom_kill 7\n")
    assert exits.host_oom_kills(tmp_path / "vmstat") == 7
    assert exits.host_oom_kills(tmp_path / "absent") == 0


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (OutOfMemoryError("Tried to allocate"), "oom", "gpu_oom"),
        (RuntimeError("CUDA error: out of memory"), "oom", "gpu_oom"),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"), "oom", "gpu_oom"),
        (MemoryError(), "oom", "host_oom"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "oom",
            "host_oom",
        ),
        (OSError(28, "No space left on device"), "storage_error", "os_error"),
        (InvalidModel("broken", reason="meta"), "invalid_model", "meta"),
        (ZeroDivisionError(), "provider_error", "engine_error"),
    ],
)
def test_an_exception_in_the_child_has_a_code(error: BaseException, code: str, reason: str) -> None:
    failed = failure_of(error, detail="trace")
    assert (failed.code, failed.reason) == (code, reason)


def test_the_cause_of_an_exception_counts_too() -> None:
    error = RuntimeError("could not draw")
    error.__cause__ = OutOfMemoryError()
    assert failure_of(error, detail="").code == "oom"
