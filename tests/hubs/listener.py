"""A port on loopback: one thread accepts, one serves each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from itertools import count

from tests.hubs.wire import Answer, Connection

ACCEPT_AGAIN_S = 0.05
BACKLOG = 1024
JOIN_WITHIN_S = 10


class Listener:
    """A port that is kept until `close`: between `stop` and `start` connections are refused, and no
    other program gets it."""

    def __init__(
        self, name: str, answer: Answer, *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.name = name
        self._answer = answer
        self._tls = tls
        self._numbers = count(1)
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._socket = _bound(port)
        self.port = int(self._socket.getsockname()[1])
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Clients connected at this moment."""
        return len(self._connections)

    def start(self) -> None:
        self._stop = threading.Event()
        self._socket.listen(BACKLOG)
        self._thread = threading.Thread(
            target=self._accept, args=(self._stop,), name=f"hub-{self.name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Nobody is served any more; whoever is connected is cut off."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        with self._lock:
            connected = list(self._connections.items())
        for connection, _ in connected:
            connection.interrupt()
        for _, thread in connected:
            if thread is not threading.current_thread():
                thread.join(JOIN_WITHIN_S)

    def close(self) -> None:
        self.stop()
        self._socket.close()

    def _accept(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError:  # the end, or no descriptor is left for a moment
                stop.wait(ACCEPT_AGAIN_S)
                continue
            connection = Connection(sock, self.name, next(self._numbers), stop)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection.sock = self._tls.wrap_socket(connection.sock, server_side=True)
            connection.serve(self._answer)
        except OSError:
            pass  # the client left during the greeting
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()


def _bound(port: int) -> socket.socket:
    """Bound to a number and not to "any": only then the kernel keeps it while nobody listens."""
    while True:
        sock = socket.socket()
        if port:  # clients of an earlier run may still be on their way out
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port or _free_port()))
        except OSError:
            sock.close()
            if port:
                raise
            continue
        return sock


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
