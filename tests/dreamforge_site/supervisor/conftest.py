"""The whole service as a process, over a data directory of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dreamforge_site.environment import BASE_DIR
from tests.dreamforge_site.supervisor.supervised import Supervised
from tests.environment import BCRYPT_ROUNDS, clean
from tests.services.process import free_port

ServiceStarter = Callable[..., Supervised]


def service_environment(data_dir: Path, **variables: str) -> dict[str, str]:
    return {
        **clean(),
        "DF_DATA_DIR": str(data_dir),
        "DF_PORT": str(free_port()),
        "DF_BCRYPT_ROUNDS": BCRYPT_ROUNDS,
        "DF_MIN_FREE_BYTES": "0",
        **variables,
    }


@pytest.fixture(scope="module")
def start_service() -> Iterator[ServiceStarter]:
    """Starts `manage.py dreamforge`; what is started ends with the module."""
    started: list[Supervised] = []

    def start(environment: dict[str, str], prefix: Sequence[str] = ()) -> Supervised:
        command = [*prefix, sys.executable, "manage.py", "dreamforge"]
        started.append(Supervised(command, environment, BASE_DIR))
        return started[-1]

    yield start
    for service in started:
        service.destroy()
