"""Celery's two queues: `gpu` for what draws, `io` for everything else."""

from __future__ import annotations

from kombu import Exchange, Queue

GPU = "gpu"
IO = "io"
NAMES = (GPU, IO)

# Exchange and key are named: without them both queues would bind to the default pair, and each
# would receive the other's messages.
DECLARED = tuple(Queue(name, Exchange(name), routing_key=name) for name in NAMES)

# A task whose name begins with a queue's name runs there.
ROUTES = {f"{name}.*": {"queue": name} for name in NAMES}
