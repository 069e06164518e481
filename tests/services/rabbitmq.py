"""A RabbitMQ server, where one is installed: `make services` brings it where root is to be had."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kombu import Connection
from kombu.exceptions import OperationalError

from tests.services.process import ServerProcess, free_port

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def is_installed() -> bool:
    return PROGRAM.exists() and shutil.which("erl") is not None


class RabbitServer(ServerProcess):
    name = "rabbitmq"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> list[str]:
        """Without the port mapper of Erlang: it would outlive the tests."""
        node = {
            "RABBITMQ_NODENAME": f"forge-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_BASE": str(self.folder),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -erl_epmd_port "
            + str(free_port()),
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
        }
        return ["env", *(f"{key}={value}" for key, value in node.items()), str(PROGRAM)]

    def answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=1) as connection:
                connection.connect()
        except (OSError, OperationalError):
            return False
        return True
