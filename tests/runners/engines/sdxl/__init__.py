"""The real engine, on tiny models and a CPU. Torch must not be asked for before this."""

import pytest

pytest.importorskip(
    "torch", reason="the runner set is not installed: deploy/scripts/venv.sh runner"
)
