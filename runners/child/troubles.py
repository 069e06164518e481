"""What an exception in the child means, told by type names, so that no library has to be loaded."""

from __future__ import annotations

import re

from runners.errors import RunnerError
from runners.protocol import Failed

GPU_OOM_NAMES = frozenset({"OutOfMemoryError"})
GPU_OOM_TEXT = re.compile(
    r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
    r"|CUDNN_STATUS_ALLOC_FAILED|HIP out of memory",
)
HOST_OOM_NAMES = frozenset({"MemoryError", "_ArrayMemoryError"})
HOST_OOM_TEXT = re.compile(r"DefaultCPUAllocator: can't allocate memory|Cannot allocate memory")


def failure_of(error: BaseException, *, detail: str, item_index: int | None = None) -> Failed:
    if isinstance(error, RunnerError):
        return Failed(error.code, error.message, error.reason, error.detail or detail, item_index)
    for cause in _chain(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & GPU_OOM_NAMES or GPU_OOM_TEXT.search(str(cause)):
            message = "The GPU ran out of memory."
            return Failed("oom", message, "gpu_oom", detail, item_index)
        if names & HOST_OOM_NAMES or HOST_OOM_TEXT.search(str(cause)):
            message = "The runner ran out of the system's memory."
            return Failed("oom", message, "host_oom", detail, item_index)
    if isinstance(error, OSError):
        message = f"The runner could not write: {error.strerror or type(error).__name__}."
        return Failed("storage_error", message, "os_error", detail, item_index)
    message = f"The engine failed: {type(error).__name__}."
    return Failed("provider_error", message, "engine_error", detail, item_index)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
