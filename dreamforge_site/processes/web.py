"""The web process: uvicorn with our front behind it."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from dreamforge_site.environment import Environment
from dreamforge_site.front.connections import Connection
from dreamforge_site.processes import ownership

# An open stream would hold the server for ever; clients resume elsewhere.
GRACE_S = 5


class Servers(Multiprocess):
    """Several server processes; it remembers which of the two stop signals it got."""

    interrupted = False

    def handle_int(self) -> None:
        self.interrupted = True
        super().handle_int()


def application() -> Any:
    """What each server process loads; one of several ends with the process that started it."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        ownership.die_with_parent(parent.pid)
    from dreamforge_site import asgi

    return asgi.application


def configuration(environment: Environment) -> uvicorn.Config:
    return uvicorn.Config(
        f"{__name__}:application",
        factory=True,
        host=environment.host,
        port=environment.port,
        loop="uvloop",
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(environment.trusted_proxies),
        forwarded_allow_ips=list(environment.trusted_proxies),
        timeout_graceful_shutdown=GRACE_S,
        workers=environment.web_processes,
    )


def serve(environment: Environment, listener: socket.socket) -> None:
    """Serve until TERM, or INT (KeyboardInterrupt); open requests get GRACE_S seconds to finish."""
    config = configuration(environment)
    if environment.web_processes > 1:
        servers = Servers(config, sockets=[listener])
        servers.run()
        if servers.interrupted:
            raise KeyboardInterrupt
        return
    # uvicorn raises the signal again once it has stopped: then it is an orderly end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])
