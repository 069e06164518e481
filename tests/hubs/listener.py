"""A port on loopback: one thread accepts, one serves each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from itertools import count

from tests.hubs.wire import Answer, Connection

ACCEPT_AGAIN_S = 0.05
JOIN_WITHIN_S = 10


class Listener:
    """A port of its own: connections are answered until `stop`."""

    def __init__(
        self, name: str, answer: Answer, *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.name = name
        self._answer = answer
        self._tls = tls
        self._stop = threading.Event()
        self._numbers = count(1)
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name=f"hub-{name}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Clients connected at this moment."""
        return len(self._connections)

    def stop(self) -> None:
        """Nobody is served any more; whoever is connected is cut off."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        with self._lock:
            connected = list(self._connections.items())
        for connection, _ in connected:
            connection.interrupt()
        for _, thread in connected:
            if thread is not threading.current_thread():
                thread.join(JOIN_WITHIN_S)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError:  # the end, or no descriptor is left for a moment
                self._stop.wait(ACCEPT_AGAIN_S)
                continue
            connection = Connection(sock, self.name, next(self._numbers), self._stop)
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
