"""A real receiver on loopback: keeps what it was sent and answers what the test wants."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from standardwebhooks import Webhook

from dreamforge_site.environment.variables import PRIVATE_NETWORKS

OPEN = ",".join(PRIVATE_NETWORKS)
HANG_S = 60


@dataclass
class Message:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified_by(self, secret: str) -> bool:
        """By the reference implementation: signature, id and a timestamp of now."""
        Webhook(secret).verify(self.body, self.headers)
        return True


@dataclass
class Reply:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Script = Callable[[int], Reply | None]


class Receiver:
    """`script` is given the message's number (1, 2, …) and says the reply; None: hang."""

    def __init__(self, script: Script = lambda _: Reply()) -> None:
        self.script = script
        self.messages: list[Message] = []
        self.connections = 0
        self.closing = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?token=of-the-receiver"
        self._thread = threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True)
        self._thread.start()

    def take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.messages.append(Message(handler.path, headers, body))
        reply = self.script(len(self.messages))
        if reply is None:
            self.closing.wait(HANG_S)
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)

    def wait_for(self, count: int, within_s: float = 30) -> list[Message]:
        deadline = time.monotonic() + within_s
        while len(self.messages) < count:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {count} messages came"
            time.sleep(0.02)
        return self.messages

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
