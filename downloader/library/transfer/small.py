"""Small files: one request, hashed and written by the thread that receives it, no resume."""

from __future__ import annotations

from dataclasses import dataclass

from downloader.library.checksums import Hashing
from downloader.library.errors import ProtocolViolation
from downloader.library.http import Broken, Response
from downloader.library.remote import RemoteFile
from downloader.library.transfer import answers
from downloader.library.transfer.answers import Asked, Busy, Changed, Expired
from downloader.library.transfer.options import Fetched, Target
from downloader.library.transfer.part import Part
from downloader.library.transfer.reading import Surroundings, file_name_of, receive
from downloader.library.transfer.restarts import Trouble
from downloader.library.transfer.routes import Locate, Route, Routes, is_elsewhere


@dataclass
class Small:
    path: str
    file: RemoteFile
    target: Target
    locate: Locate
    received: int = 0


def fetch(run: Surroundings, small: Small) -> Fetched:
    trouble = Trouble(small.path, run.options.attempts, run.options.max_wait_s)
    routes = Routes(small.file, small.locate)
    while True:
        route = routes.current()
        try:
            return _attempt(run, small, route)
        except (Broken, Changed) as error:
            broken = error if isinstance(error, Broken) else Broken(str(error))
            wait = trouble.after_break(broken)
            run.observer.say(
                "retry", f"{small.path}: {error}", path=small.path, wait_s=round(wait, 2)
            )
        except Busy as busy:
            wait = trouble.after_busy(busy)
            run.hold_off(busy, wait)
        except Expired as expired:
            routes.expired(route)
            wait = trouble.after_expiry(expired)
        run.sleep(wait)


def _attempt(run: Surroundings, small: Small, route: Route) -> Fetched:
    response = run.client.open(route.location, at=route.at, tick=run.tick)
    try:
        given = answers.read(
            response, _asked(small, route), elsewhere=is_elsewhere(route, response)
        )
        hashing = _take(run, small, response)
    finally:
        response.close()
    return Fetched(
        part=small.target.part,
        computed=hashing.computed(),
        received=small.received,
        file_name=file_name_of(response),
        etag=given.validator.etag if given.validator else None,
    )


def _asked(small: Small, route: Route) -> Asked:
    return Asked(
        path=small.path,
        start=0,
        end=None,
        size=small.file.size,
        validator=None,
        conditional=False,
        proven=small.file.digest is not None and small.file.digest.strong,
        accepts_html=route.location.accepts_html,
    )


def _take(run: Surroundings, small: Small, response: Response) -> Hashing:
    digest, size = small.file.digest, small.file.size or 0
    hashing = Hashing(size, [digest.algorithm] if digest else [])
    part = Part(small.target.part)
    block = run.blocks.take()
    at = 0
    try:
        part.empty()
        while got := receive(run, response, block, max(1, size - at)):
            at += got
            small.received += got
            if at > size:
                raise ProtocolViolation(
                    f"The server sends more for {small.path!r} than was announced.",
                    details={"path": small.path},
                )
            hashing.update(block.view)
            part.write(block.view, at - got)
            if at == size and response.length is not None:
                break
    finally:
        block.release()
        part.close()
    if at < size:
        raise Broken(f"The answer ended at {at} of {size} bytes.")
    return hashing
