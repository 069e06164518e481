"""The listening socket: opened here, or inherited from the supervisor.

The supervisor keeps the socket open over restarts of the web process, so that a client who calls
in such a moment waits a second instead of being refused.
"""

from __future__ import annotations

import errno
import os
import socket

LISTEN_FD = "DREAMFORGE_LISTEN_FD"
BACKLOG = 2048

REASONS = {
    errno.EADDRINUSE: "another program listens there; stop it or choose another port with PORT=",
    errno.EACCES: "ports below 1024 need privileges; choose another with PORT=",
    errno.EADDRNOTAVAIL: "this machine has no such address; correct DF_HOST",
}


class ListenError(Exception):
    """One line that says which address and why not."""


def inherit_or_listen(host: str, port: int) -> socket.socket:
    descriptor = os.environ.pop(LISTEN_FD, "")
    if not descriptor:
        return listen(host, port)
    inherited = socket.socket(fileno=int(descriptor))
    inherited.set_inheritable(False)
    return inherited


def listen(host: str, port: int) -> socket.socket:
    try:
        family, address = _resolve(host, port)
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        reason = REASONS.get(error.errno or 0, error.strerror or str(error))
        raise ListenError(f"Cannot listen on {host} port {port}: {reason}") from error


def local_address(host: str) -> str:
    """Where this machine itself reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(_bare(host), _bare(host))  # noqa: S104


def url(host: str, port: int) -> str:
    address = local_address(host)
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    found = socket.getaddrinfo(_bare(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # "localhost" names both families; browsers and probes try IPv4 everywhere.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, (str(address[0]), int(address[1]))


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")
