"""The child's end of the line: messages out under a lock, requests in by a thread of their own."""

from __future__ import annotations

import os
import queue
import sys
import threading

from runners import protocol
from runners.child.lifeline import leave
from runners.errors import ProtocolError
from runners.protocol import Bye, Cancel, ToChild, ToParent


class Line:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._canceled: set[str] = set()
        self.inbox: queue.SimpleQueue[ToChild] = queue.SimpleQueue()
        self.ended = threading.Event()

    def listen(self) -> None:
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def say(self, message: ToParent) -> None:
        data = memoryview(protocol.encode(message))
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]

    def is_canceled(self, request_id: str) -> bool:
        return self.ended.is_set() or request_id in self._canceled

    def forget(self, request_id: str) -> None:
        """The cancel of this request was answered."""
        self._canceled.discard(request_id)

    def _read(self) -> None:
        for line in iter(sys.stdin.buffer.readline, b""):
            try:
                self._take(protocol.read_as_child(line))
            except ProtocolError as error:
                print(f"runner: {error.message}", file=sys.stderr)  # noqa: T201
                leave(2)
        leave()  # the parent is gone, or let go

    def _take(self, message: ToChild) -> None:
        if isinstance(message, Cancel):
            self._canceled.add(message.id)
            return
        if isinstance(message, Bye):
            self.ended.set()
        self.inbox.put(message)
