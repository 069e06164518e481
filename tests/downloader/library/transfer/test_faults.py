"""Every way in which a server can be wrong: the final bytes are right, or nothing is handed over;
and how much had to be fetched again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from downloader.library.errors import (
    AccessNeeded,
    DownloadError,
    InvalidFile,
    NotFound,
    ProtocolViolation,
    Throttled,
    Unreachable,
)
from tests.downloader.library.transfer.world import (
    CONTENT,
    KIB,
    OTHER,
    PIECE,
    SEGMENT,
    SIZE,
    World,
    sha256,
)
from tests.hubs.faults import (
    ChangingEtag,
    Chunked,
    Drip,
    Extra,
    Fault,
    FlippedBit,
    Gzip,
    IgnoreRange,
    JsonError,
    LoginPage,
    NoContentRange,
    NoEtag,
    NoLength,
    NotModified,
    OtherStart,
    OtherVersion,
    Raw,
    RedirectLoop,
    RedirectTo,
    Reset,
    ShortRange,
    SilentClose,
    Stall,
    Status,
    TooManyRequests,
    Truncated,
    Unsatisfiable,
    WholeAsPart,
    WrongLength,
)

pytestmark = pytest.mark.pure

MIB = 1024 * KIB
GARBAGE = b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
FOLDED = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\n x\r\n\r\n"
TWO_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"


@dataclass(frozen=True)
class Case:
    """`again`: body bytes that may be sent on top of the size; what the kernel's buffers held when
    a connection was dropped is in it."""

    fault: Fault
    times: int | None = 1
    after: int = 2
    again: int = SEGMENT


# The file comes whole and right, with the digest named and one connection.
MENDED = {
    "a range is ignored, once": Case(IgnoreRange(), again=SIZE),
    "ranges are ignored, always": Case(IgnoreRange(), None, 0, again=0),
    "another range, and it says so": Case(OtherStart(by=100)),
    "an earlier range, and it says so": Case(OtherStart(by=-100)),
    "a short range, and a clean close": Case(ShortRange(keep=100 * KIB), again=0),
    "every range is short": Case(ShortRange(keep=100 * KIB, close=False), None, 0, again=0),
    "the whole file as a part": Case(WholeAsPart(), again=SIZE),
    "a 206 that does not say which bytes": Case(NoContentRange()),
    "416, once": Case(Unsatisfiable(), again=2 * SEGMENT),
    "the ETag changes once": Case(ChangingEtag(), again=3 * SEGMENT),
    "the ETag changes always": Case(ChangingEtag(), None, 0, again=12 * SEGMENT),
    "the ETag is gone, once": Case(NoEtag(), again=0),
    "no ETag at all": Case(NoEtag(), None, 0, again=0),
    "304": Case(NotModified(), again=0),
    "a Content-Length too long": Case(WrongLength(by=1)),
    "a Content-Length too short": Case(WrongLength(by=-1)),
    "no length": Case(NoLength(), again=0),
    "no length, ever": Case(NoLength(), None, 0, again=0),
    "no length, and cut": Case(NoLength(cut_at=100 * KIB), again=0),
    "chunked": Case(Chunked(), None, 0, again=0),
    "gzip in the middle": Case(Gzip(), again=SIZE + 16 * KIB),
    "gzip always": Case(Gzip(), None, 0, again=16 * KIB),
    "silence before the answer": Case(Stall(), again=0),
    "silence in the middle": Case(Stall(at=100 * KIB), again=0),
    "it drips": Case(Drip(step=10, seconds=0.1), again=KIB),
    "reset at once": Case(Reset(), again=0),
    "reset in the middle": Case(Reset(at=100 * KIB), again=SEGMENT),
    "three resets with progress between": Case(Reset(at=100 * KIB), 3, again=3 * SEGMENT),
    "truncated at once": Case(Truncated(), again=0),
    "truncated in the middle": Case(Truncated(at=100 * KIB), again=0),
    "every answer is truncated": Case(Truncated(at=100 * KIB), None, 0, again=0),
    "more than announced": Case(Extra(), None, 0, again=KIB),
    "the connection closes after each answer": Case(SilentClose(), None, 0, again=0),
    "the connection closes without an answer": Case(Raw(), again=0),
    "what answers speaks no HTTP": Case(Raw(b""), 2, again=0),
    "500": Case(Status(500), 2, again=KIB),
    "503": Case(Status(503), 2, again=KIB),
    "429 in seconds": Case(TooManyRequests(1), again=KIB),
    "429 until a date": Case(TooManyRequests(1, how="date"), again=KIB),
    "429 by the RateLimit headers": Case(TooManyRequests(1, how="ratelimit"), again=KIB),
    "429 that does not say": Case(TooManyRequests(how=""), again=KIB),
    "one bit is wrong": Case(FlippedBit(at=700 * KIB), again=SIZE),
    "the file was replaced for a moment": Case(OtherVersion(OTHER), again=SIZE + 3 * SEGMENT),
}


@pytest.mark.parametrize("case", MENDED.values(), ids=MENDED.keys())
def test_the_file_comes_right_all_the_same(alone: World, case: Case) -> None:
    url = alone.serve()
    alone.hub.faults.add(case.fault, times=case.times, after=case.after)
    fetched = alone.fetch(url, digest=sha256(CONTENT))
    assert alone.bytes_of() == CONTENT.read()
    assert (fetched.computed.size, fetched.computed.sha256) == (SIZE, CONTENT.sha256)
    assert alone.hub.bytes_sent() <= SIZE + case.again


@pytest.mark.parametrize("case", MENDED.values(), ids=MENDED.keys())
def test_the_file_comes_right_through_many_connections(world: World, case: Case) -> None:
    url = world.serve_signed()
    world.hub.faults.add(case.fault, times=case.times, after=case.after, origin="cdn")
    fetched = world.fetch(url, digest=sha256(CONTENT))
    assert world.bytes_of() == CONTENT.read()
    assert fetched.computed.sha256 == CONTENT.sha256


# Without a digest: right, or an error.
UNPROVEN = {
    name: case
    for name, case in MENDED.items()
    if name not in {"one bit is wrong"}  # nobody could know
}


@pytest.mark.parametrize("case", UNPROVEN.values(), ids=UNPROVEN.keys())
def test_without_a_digest_versions_are_not_mixed_either(world: World, case: Case) -> None:
    url = world.serve()
    world.hub.faults.add(case.fault, times=case.times, after=case.after)
    world.fetch(url)
    assert world.bytes_of() in (CONTENT.read(), OTHER.read())


# Nothing is handed over.
REFUSED: dict[str, tuple[Case, type[DownloadError]]] = {
    "a login page": (Case(LoginPage(), None, 0), InvalidFile),
    "a login page in the middle": (Case(LoginPage()), InvalidFile),
    "a short JSON in place of the file": (Case(JsonError(), None, 0), ProtocolViolation),
    "a redirect to a file": (Case(RedirectTo("file:///etc/passwd"), None, 0), ProtocolViolation),
    "a redirect to ftp": (Case(RedirectTo("ftp://127.0.0.1/x"), None, 0), ProtocolViolation),
    "redirects in circles": (Case(RedirectLoop(), None, 0), ProtocolViolation),
    "404": (Case(Status(404), None, 0), NotFound),
    "410": (Case(Status(410), None, 0), NotFound),
    "401": (Case(Status(401), None, 0), AccessNeeded),
    "403": (Case(Status(403), None, 0), AccessNeeded),
    "418": (Case(Status(418), None, 0), ProtocolViolation),
    "500 for ever": (Case(Status(500), None, 0), Unreachable),
    "429 for an hour": (Case(TooManyRequests(3600), None, 0), Throttled),
    "429 again and again": (Case(TooManyRequests(1), None, 0), Throttled),
    "resets without progress": (Case(Reset(), None, 1), Unreachable),
    "silence for ever": (Case(Stall(), None, 0), Unreachable),
    "other bytes for ever": (Case(OtherStart(by=1), None, 0), ProtocolViolation),
    "no HTTP": (Case(Raw(GARBAGE), None, 0), ProtocolViolation),
    "a folded header": (Case(Raw(FOLDED), None, 0), ProtocolViolation),
    "two lengths": (Case(Raw(TWO_LENGTHS), None, 0), ProtocolViolation),
    "an endless head": (
        Case(Raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000), None, 0),
        ProtocolViolation,
    ),
    "a hundred and one headers": (
        Case(Raw(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 101 + b"\r\n"), None, 0),
        ProtocolViolation,
    ),
}


@pytest.mark.parametrize(("case", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_nothing_is_handed_over(world: World, case: Case, error: type[DownloadError]) -> None:
    url = world.serve()
    world.hub.faults.add(case.fault, times=case.times, after=case.after)
    with pytest.raises(error):
        world.fetch(url, digest=sha256(CONTENT))


SMALL_REFUSED = {
    name: row
    for name, row in REFUSED.items()
    if name != "other bytes for ever"  # no ranges here
}


@pytest.mark.parametrize(("case", "error"), SMALL_REFUSED.values(), ids=SMALL_REFUSED.keys())
def test_nothing_is_handed_over_of_a_small_file(
    world: World, case: Case, error: type[DownloadError]
) -> None:
    url = world.serve(SMALL)
    world.hub.faults.add(case.fault, times=case.times)
    with pytest.raises(error):
        world.fetch(url, size=SMALL.size, digest=sha256(SMALL))


SMALL = type(CONTENT)(40 * KIB, seed=3)
SMALL_MENDED = {
    name: case
    for name, case in MENDED.items()
    if name not in {"one bit is wrong", "the file was replaced for a moment"}
    and not (case.times is None and isinstance(case.fault, Truncated))
}


@pytest.mark.parametrize("case", SMALL_MENDED.values(), ids=SMALL_MENDED.keys())
def test_a_small_file_comes_right(world: World, case: Case) -> None:
    url = world.serve(SMALL)
    world.hub.faults.add(case.fault, times=case.times)
    fetched = world.fetch(url, size=SMALL.size, digest=sha256(SMALL))
    assert world.bytes_of() == SMALL.read()
    assert fetched.computed.sha256 == SMALL.sha256


def test_a_wrong_digest_is_fetched_once_more_on_one_connection_and_then_left_to_the_caller(
    world: World,
) -> None:
    url = world.serve(OTHER)
    fetched = world.fetch(url, digest=sha256(CONTENT))
    assert fetched.computed.sha256 == OTHER.sha256
    assert world.hub.bytes_sent() == 2 * SIZE
    assert world.hub.requests[-1].range is None


def test_a_size_that_is_not_the_announced_one_is_refused(world: World) -> None:
    url = world.serve()
    with pytest.raises(ProtocolViolation, match="announced"):
        world.fetch(url, size=SIZE + PIECE, digest=sha256(CONTENT))
    assert world.hub.bytes_sent() <= 4 * SEGMENT


def test_a_server_that_sends_on_behind_the_end_is_cut_off(world: World) -> None:
    url = world.serve(type(CONTENT)(64 * MIB, seed=1))
    world.hub.faults.add(Chunked())
    world.hub.faults.add(IgnoreRange())
    with pytest.raises(ProtocolViolation, match="more"):
        world.fetch(url)
    assert world.hub.bytes_sent() < 32 * MIB


def test_a_file_of_no_announced_length_has_a_limit(world: World) -> None:
    world.options = type(world.options)(max_file_bytes=MIB)
    url = world.serve()
    world.hub.faults.add(Chunked())
    with pytest.raises(ProtocolViolation, match="allowed"):
        world.fetch(url, size=None)
