"""Files that Django allows and the front sends: no thread of Django's is held by a download.

A file on this machine goes from the kernel's cache to the socket by sendfile, in steps that a small
pool of threads makes (a slow disk must not stop the loop); between two steps a slow client costs
nothing but its socket. Where something stands before the socket (TLS, another server), blocks are
read and sent instead, one at a time. A file that is not as long as promised, or whose digest is to
be looked at first and differs, is refused before any byte; one that shrinks under way ends the
connection, so that the client sees a short answer and no wrong one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import FileIO
from typing import Any, TypeVar

import structlog

from dreamforge_site.front.bridge import Answer
from dreamforge_site.front.connections import (
    IN_STATE,
    STALLED_S,
    UNSENT_LIMIT_BYTES,
    Connection,
)
from dreamforge_site.front.handoffs import Exchange, Ticket

log = structlog.get_logger(__name__)

SENDERS = 8
READERS = 2  # of whole files, to hash them
STEP_BYTES = 4 << 20
UNSENT_BYTES = 4 << 20  # what the kernel may queue of a file: more costs no memory of ours
BLOCK_BYTES = 256 << 10
VERIFIED_REMEMBERED = 10_000
FLUSH_POLL_S = 0.005
LENGTH = b"content-length"
OF_THE_FILE = (LENGTH, b"etag", b"content-range", b"accept-ranges", b"content-disposition")

Result = TypeVar("Result")
Identity = tuple[int, int, int, int]  # device, inode, size, time of the last write

_senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="file")
_readers = ThreadPoolExecutor(READERS, thread_name_prefix="file-check")
_verified: dict[Identity, asyncio.Future[bool]] = {}


class Unfit(Exception):
    """The file is not what was promised, or cannot be read."""


class Interrupted(Exception):
    """The client left, stalled, or the file ended early: the connection is of no more use."""


@dataclass(frozen=True)
class Part:
    file: int
    start: int
    end: int


async def serve(ticket: Ticket, answer: Answer, exchange: Exchange) -> None:
    """`ticket`: path, start, length, size; `sha256` where the bytes must be read first; and, as
    `unfit`, what the client is told when the file is not that."""
    with contextlib.ExitStack() as stack:
        try:
            opened = await _in_pool(_opened, ticket["path"], ticket["size"])
            file = stack.enter_context(opened).fileno()
            if ticket.get("sha256"):
                await _verify(file, ticket["sha256"])
        except Unfit as unfit:
            await _refuse(ticket, answer, exchange, unfit)
            return
        await _send(
            Part(file, ticket["start"], ticket["start"] + ticket["length"]), answer, exchange
        )


async def _in_pool(work: Callable[..., Result], *arguments: Any) -> Result:
    """Whoever is cancelled waits for the thread all the same: it uses descriptors that are closed
    next, and whose numbers would be somebody else's then."""
    running = asyncio.get_running_loop().run_in_executor(_senders, work, *arguments)
    try:
        return await asyncio.shield(running)
    finally:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((running,))


def _opened(path: str, size: int) -> FileIO:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Unfit(error.strerror) from error
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        os.close(file)
        raise Unfit("another size")
    return FileIO(file)


async def _refuse(ticket: Ticket, answer: Answer, exchange: Exchange, unfit: Unfit) -> None:
    log.error("file_unfit", path=ticket["path"], why=str(unfit))
    body = json.dumps(ticket["unfit"]).encode()
    headers = [(name, value) for name, value in answer.headers if name not in OF_THE_FILE]
    headers = [(name, value) for name, value in headers if name != b"content-type"]
    headers += [(b"content-type", b"application/json"), (LENGTH, b"%d" % len(body))]
    await exchange.send({"type": "http.response.start", "status": 500, "headers": headers})
    await exchange.send({"type": "http.response.body", "body": body})


# Looking at the bytes first


async def _verify(file: int, sha256: str) -> None:
    """Unfit unless the file has this digest. Read once as long as it is not written to again,
    however many ask at a time."""
    found = os.fstat(file)
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    if identity not in _verified:
        while len(_verified) >= VERIFIED_REMEMBERED:
            del _verified[next(iter(_verified))]
        # The client may leave while others wait: the reading goes on, with a file of its own.
        work = asyncio.get_running_loop().run_in_executor(
            _readers, _has_digest, os.dup(file), sha256
        )
        _verified[identity] = work
        work.add_done_callback(partial(_forget_failed, identity))
    try:
        same = await asyncio.shield(_verified[identity])
    except OSError as error:
        raise Unfit(error.strerror) from error
    if not same:
        raise Unfit("another digest")


def _forget_failed(identity: Identity, work: asyncio.Future[bool]) -> None:
    if work.cancelled() or work.exception() is not None:
        _verified.pop(identity, None)


def _has_digest(file: int, sha256: str) -> bool:
    digest = hashlib.sha256()
    at = 0
    with _closing(file):
        while block := os.pread(file, STEP_BYTES, at):
            digest.update(block)
            at += len(block)
    return digest.hexdigest() == sha256


# Sending


async def _send(part: Part, answer: Answer, exchange: Exchange) -> None:
    start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    connection: Connection | None = exchange.scope.get("state", {}).get(IN_STATE)
    leaving = asyncio.create_task(_left(exchange))
    whole = False
    try:
        await exchange.send(start)
        plain = _plain_socket(connection)
        if connection is not None and plain is not None:
            await _by_kernel(part, connection, plain, leaving)
        else:
            await _by_blocks(part, exchange, leaving)
        await exchange.send({"type": "http.response.body", "body": b""})
        whole = True
    except Interrupted as interrupted:
        log.info("file_interrupted", why=str(interrupted))
    finally:
        leaving.cancel()
        if not whole and connection is not None:
            connection.transport.abort()


async def _left(exchange: Exchange) -> None:
    """A server that closes lets the download go on for as long as it waits for answers."""
    while (await exchange.receive())["type"] != "http.disconnect":
        pass


def _plain_socket(connection: Connection | None) -> Any:
    if connection is None or connection.transport.get_extra_info("sslcontext") is not None:
        return None
    found = connection.transport.get_extra_info("socket")
    return found if found is not None and hasattr(os, "sendfile") else None


async def _by_kernel(
    part: Part, connection: Connection, plain: Any, leaving: asyncio.Task[None]
) -> None:
    """The transport knows nothing of it, and watches its own descriptor: this is another one."""
    await _flushed(connection)
    at = part.start
    with socket.socket(fileno=os.dup(plain.fileno())) as mine, _roomy(mine):
        out = mine.fileno()
        while at < part.end:
            if leaving.done():
                raise Interrupted("the client left")
            step = _Step(out, part.file, at, min(STEP_BYTES, part.end - at))
            sent, blocked = await _in_pool(step.push)
            at += sent
            connection.wrote(sent)
            if blocked:
                await _writable(out, leaving)


async def _flushed(connection: Connection) -> None:
    """The headers, and whatever was before them, are in the socket."""
    try:
        async with asyncio.timeout(STALLED_S):
            while connection.transport.get_write_buffer_size():
                await asyncio.sleep(FLUSH_POLL_S)
    except TimeoutError:
        raise Interrupted("the client takes nothing") from None
    if connection.transport.is_closing():
        raise Interrupted("the client left")


@contextlib.contextmanager
def _roomy(plain: socket.socket) -> Iterator[None]:
    """Let the kernel queue more than for a stream: a step is then worth its switch of threads."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is None or plain.family not in (socket.AF_INET, socket.AF_INET6):
        yield
        return
    with contextlib.suppress(OSError):
        plain.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the client may be gone
            plain.setsockopt(socket.IPPROTO_TCP, option, UNSENT_LIMIT_BYTES)


@dataclass(frozen=True)
class _Step:
    out: int
    file: int
    at: int
    length: int

    def push(self) -> tuple[int, bool]:
        """As much as the socket takes now; whether it took less than all."""
        sent = 0
        try:
            while sent < self.length:
                count = os.sendfile(self.out, self.file, self.at + sent, self.length - sent)
                if count == 0:
                    raise Interrupted("the file ended early")
                sent += count
        except BlockingIOError:
            return sent, True
        except OSError as error:
            raise Interrupted(error.strerror) from error
        return sent, False


async def _writable(out: int, leaving: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(out, _settle, ready)
    try:
        await asyncio.wait((ready, leaving), timeout=STALLED_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_writer(out)
    if not (ready.done() or leaving.done()):
        raise Interrupted("the client takes nothing")


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _by_blocks(part: Part, exchange: Exchange, leaving: asyncio.Task[None]) -> None:
    at = part.start
    while at < part.end:
        if leaving.done():
            raise Interrupted("the client left")
        length = min(BLOCK_BYTES, part.end - at)
        block = await _in_pool(os.pread, part.file, length, at)
        if not block:
            raise Interrupted("the file ended early")
        at += len(block)
        await exchange.send({"type": "http.response.body", "body": block, "more_body": True})


@contextlib.contextmanager
def _closing(file: int) -> Iterator[int]:
    try:
        yield file
    finally:
        os.close(file)
