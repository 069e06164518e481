"""What a connection's thread does: ask for bytes, judge the answer, take the bytes, try again."""

from __future__ import annotations

from typing import Protocol

from downloader.library.errors import ProtocolViolation
from downloader.library.http import Broken, Client, Response
from downloader.library.http.addresses import parse
from downloader.library.names import file_name_from
from downloader.library.transfer import answers
from downloader.library.transfer.answers import Asked, Busy, Changed, Expired, Given, RangeIgnored
from downloader.library.transfer.blocks import Block, Blocks
from downloader.library.transfer.download import Download, Mode
from downloader.library.transfer.options import TransferOptions
from downloader.library.transfer.pace import Bucket
from downloader.library.transfer.restarts import PROGRESS, Trouble
from downloader.library.transfer.routes import Route, is_elsewhere
from downloader.library.transfer.segments import Claim
from downloader.library.watch import Observer


class Surroundings(Protocol):
    """What a transfer lends to its threads."""

    client: Client
    options: TransferOptions
    observer: Observer
    blocks: Blocks
    bucket: Bucket

    def tick(self) -> None:
        """Raise to stop; sleep through a pause."""

    def sleep(self, seconds: float) -> None: ...

    def now(self) -> float: ...

    def first_byte_after(self, seconds: float) -> None: ...

    def hold_off(self, busy: Busy, wait_s: float) -> None:
        """Everybody asks this server for less."""


def fetch_claim(run: Surroundings, download: Download, claim: Claim) -> None:
    """All of `claim`, unless the file is to start again or the transfer ends."""
    trouble = Trouble(download.path, run.options.attempts, run.options.max_wait_s)
    try:
        while claim.at < claim.end and not download.interrupted:
            _attempt(run, download, claim, trouble)
    finally:
        download.leave(claim)


def _attempt(run: Surroundings, download: Download, claim: Claim, trouble: Trouble) -> None:
    """One request, and what follows from its failure."""
    before = claim.at
    route = download.routes.current()
    try:
        _Request(run, download, claim, route).make()
    except Changed as changed:
        download.ask_restart(str(changed))
    except (Broken, RangeIgnored) as error:
        _after_break(run, download, claim, trouble, route, error, before)
    except Busy as busy:
        _note(trouble, claim.at - before)
        wait = trouble.after_busy(busy)
        run.hold_off(busy, wait)
        run.sleep(wait)
    except Expired as expired:
        _note(trouble, claim.at - before)
        download.routes.expired(route)
        run.observer.say(
            "relocated", f"{download.path}: asking for a new address.", path=download.path
        )
        run.sleep(trouble.after_expiry(expired))
    else:
        trouble.progressed()


def _after_break(
    run: Surroundings,
    download: Download,
    claim: Claim,
    trouble: Trouble,
    route: Route,
    error: Broken | RangeIgnored,
    before: int,
) -> None:
    if isinstance(error, RangeIgnored) and trouble.after_ignored_range():
        download.ask_restart("the server sends no parts of it", single=True)
        return
    alone = download.mode is Mode.SINGLE
    if alone:
        trouble, before = download.single_trouble, download.furthest
        download.furthest = max(before, claim.at)
    _note(trouble, claim.at - before)
    if route.direct and claim.at == before:
        download.routes.expired(route)  # the storage may have moved: ask the source again
    wait = trouble.after_break(error)
    run.observer.say(
        "retry", f"{download.path}: {error}", path=download.path, wait_s=round(wait, 2)
    )
    run.sleep(wait)
    if alone:
        download.ask_restart(
            f"without ranges there is no middle to go on from ({error})", single=True
        )


def _note(trouble: Trouble, got: int) -> None:
    if got >= PROGRESS:
        trouble.progressed()


class _Request:
    """One request for the rest of a claim."""

    def __init__(self, run: Surroundings, download: Download, claim: Claim, route: Route) -> None:
        self._run = run
        self._download = download
        self._claim = claim
        self._route = route
        self._asked = self._ask()

    def make(self) -> None:
        run, claim = self._run, self._claim
        asked_at = run.now()
        response = self._open()
        try:
            given = answers.read(
                response, self._asked, elsewhere=is_elsewhere(self._route, response)
            )
            self._download.routes.arrived(self._route, response)
            if given.start != claim.at:
                self._not_ours(response)
            else:
                self._download.settle(claim, given, file_name_of(response))
                run.first_byte_after(run.now() - asked_at)
                self._take(response, given)
        finally:
            response.close()

    def _ask(self) -> Asked:
        download, claim, route = self._download, self._claim, self._route
        validator = download.validator
        start = parse(route.at or route.location.url).origin
        end = claim.end if download.segments.size else self._run.options.segment_bytes
        return Asked(
            path=download.path,
            start=claim.at,
            end=end if download.asks_for_ranges else None,
            size=download.segments.size,
            validator=validator,
            conditional=validator is not None and validator.origin == str(start),
            proven=download.proven,
            accepts_html=route.location.accepts_html,
        )

    def _open(self) -> Response:
        asked, headers = self._asked, {}
        if asked.conditional and asked.validator and asked.end is not None:
            headers["If-Range"] = asked.validator.etag
        return self._run.client.open(
            self._route.location,
            span=None if asked.end is None else (asked.start, asked.end - 1),
            headers=headers,
            at=self._route.at,
            tick=self._run.tick,
        )

    def _not_ours(self, response: Response) -> None:
        """The whole file from its first byte, where its middle was asked for."""
        before = self._asked.validator
        moved = before is not None and before.origin != str(response.address.origin)
        if self._asked.conditional and moved and not self._route.direct:
            return  # our condition went to another host, where it means nothing: again without it
        if before is None and not self._download.proven:
            raise Changed("nothing proves that it is the same file")
        raise RangeIgnored("the server sends the whole file in place of a part")

    def _take(self, response: Response, given: Given) -> None:
        claim = self._claim
        while claim.at < self._stop(given):
            self._run.tick()
            if self._download.interrupted:
                return
            if not self._take_block(response, self._stop(given)):
                self._ended()
                return
        if claim.at in (given.end, self._download.segments.size):
            _expect_end(response, self._download.path)

    def _stop(self, given: Given) -> int:
        """Looked at before each block: another connection may have taken over the tail."""
        return self._claim.end if given.end is None else min(self._claim.end, given.end)

    def _take_block(self, response: Response, stop: int) -> int:
        run, claim = self._run, self._claim
        piece = self._download.segments.piece_bytes
        want = min(stop - claim.at, piece - claim.at % piece)
        block = run.blocks.take()
        try:
            got = receive(run, response, block, want)
            if got:
                self._check_limit(claim.at + got)
                self._download.accept(claim, block)
            return got
        finally:
            block.release()

    def _ended(self) -> None:
        """The body is over, and nothing but that says so."""
        size = self._download.segments.size
        if size is not None:
            raise Broken(f"The answer ended at {self._claim.at} of {size} bytes.")
        self._download.end_stream(self._claim)

    def _check_limit(self, size: int) -> None:
        limit = self._run.options.max_file_bytes
        if limit and self._download.segments.size is None and size > limit:
            raise ProtocolViolation(
                f"{self._download.path!r} is longer than the {limit} bytes that are allowed.",
                details={"path": self._download.path},
            )


def receive(run: Surroundings, response: Response, block: Block, want: int) -> int:
    """Up to `want` bytes into `block`, when the bandwidth cap allows; 0 at the end."""
    want = min(want, run.bucket.block(len(block.buffer)))
    wait = run.bucket.take(want, run.now())
    if wait:
        run.sleep(wait)
        response.rested()
    got = 0
    try:
        got = response.read_into(block.buffer[:want])
    finally:
        run.bucket.put_back(want - got)
    block.view = block.buffer[:got]
    return got


def _expect_end(response: Response, path: str) -> None:
    """Cut off a server that goes on behind the end of the file."""
    if response.length is None and response.read_into(memoryview(bytearray(1))):
        raise ProtocolViolation(
            f"The server sends more for {path!r} than was announced.", details={"path": path}
        )


def file_name_of(response: Response) -> str | None:
    disposition = response.headers.get("content-disposition")
    return file_name_from(disposition) if disposition else None
