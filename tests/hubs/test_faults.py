"""Each fault does what its name says, to the requests its rule names, and no more often."""

from __future__ import annotations

import gzip
import http.client
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest

from tests.hubs import Hub, InMemory, faults
from tests.hubs.asking import Answered, ask, connect
from tests.hubs.faults import Fault

pytestmark = pytest.mark.pure

DATA = bytes(range(100))
PART = DATA[10:20]

Check = Callable[[Answered], bool]


@pytest.fixture
def url(hub: Hub) -> str:
    return hub.web.add("/data.bin", DATA)


def span(answered: Answered) -> str | None:
    return answered.headers.get("content-range")


RANGES: dict[str, tuple[Fault, Check]] = {
    "ignored": (faults.IgnoreRange(), lambda a: (a.status, a.body) == (200, DATA)),
    "other start": (
        faults.OtherStart(by=5),
        lambda a: (a.status, span(a), a.body) == (206, "bytes 15-24/100", DATA[15:25]),
    ),
    "other start, denied": (
        faults.OtherStart(by=-5, honest=False),
        lambda a: (a.status, span(a), a.body) == (206, "bytes 10-19/100", DATA[5:15]),
    ),
    "short": (
        faults.ShortRange(keep=3),
        lambda a: (a.status, span(a), a.body) == (206, "bytes 10-12/100", DATA[10:13]),
    ),
    "whole": (
        faults.WholeAsPart(),
        lambda a: (a.status, span(a), a.body) == (206, "bytes 0-99/100", DATA),
    ),
    "416": (faults.Unsatisfiable(), lambda a: (a.status, span(a)) == (416, "bytes */100")),
    "no content-range": (
        faults.NoContentRange(),
        lambda a: (a.status, span(a), a.body) == (206, None, PART),
    ),
    "304": (faults.NotModified(), lambda a: (a.status, a.body) == (304, b"")),
    "another etag": (
        faults.ChangingEtag(),
        lambda a: (a.headers["etag"], a.body) == ('"changed-1"', PART),
    ),
    "another version": (
        faults.OtherVersion(InMemory(b"z" * 50)),
        lambda a: (
            (a.headers["etag"], span(a), a.body)
            == ('"another-version"', "bytes 10-19/50", b"z" * 10)
        ),
    ),
    "no etag": (faults.NoEtag(), lambda a: "etag" not in a.headers and a.body == PART),
    "more announced": (
        faults.WrongLength(5),
        lambda a: (a.headers["content-length"], a.body, a.broken) == ("15", PART, "short"),
    ),
    "less announced": (
        faults.WrongLength(-5),
        lambda a: (a.headers["content-length"], a.body) == ("5", PART[:5]),
    ),
    "no length": (
        faults.NoLength(),
        lambda a: "content-length" not in a.headers and a.body == PART and not a.broken,
    ),
    "no length, cut": (
        faults.NoLength(cut_at=4),
        lambda a: "content-length" not in a.headers and a.body == PART[:4] and not a.broken,
    ),
    "chunked": (
        faults.Chunked(),
        lambda a: (a.headers["transfer-encoding"], a.body) == ("chunked", PART),
    ),
    "gzip": (
        faults.Gzip(),
        lambda a: (
            (a.status, a.headers["content-encoding"], gzip.decompress(a.body))
            == (200, "gzip", DATA)
        ),
    ),
    "disposition": (
        faults.Disposition('attachment; filename="../a"'),
        lambda a: a.headers["content-disposition"] == 'attachment; filename="../a"',
    ),
    "truncated": (
        faults.Truncated(at=4),
        lambda a: (a.headers["content-length"], a.body, a.broken) == ("10", PART[:4], "short"),
    ),
    "flipped bit": (
        faults.FlippedBit(at=12),
        lambda a: a.body == PART[:2] + bytes([PART[2] ^ 1]) + PART[3:],
    ),
    "login page": (
        faults.LoginPage(),
        lambda a: a.status == 200 and a.headers["content-type"].startswith("text/html"),
    ),
    "json error": (faults.JsonError(), lambda a: a.status == 200 and "error" in a.json),
    "lfs pointer": (
        faults.LfsPointer(),
        lambda a: a.status == 200 and a.body.endswith(b"\nsize 100\n"),
    ),
    "expired": (
        faults.Expired(),
        lambda a: (a.status, a.headers["content-type"]) == (403, "application/xml"),
    ),
    "error": (faults.Status(502), lambda a: a.status == 502),
    "redirect": (
        faults.RedirectTo("file:///etc/passwd"),
        lambda a: (a.status, a.location) == (302, "file:///etc/passwd"),
    ),
    "loop": (faults.RedirectLoop(), lambda a: a.location == "/data.bin?turn=1"),
    "seconds": (
        faults.TooManyRequests(7),
        lambda a: (a.status, a.headers["retry-after"]) == (429, "7"),
    ),
    "ratelimit": (
        faults.TooManyRequests(7, "ratelimit"),
        lambda a: (
            a.headers["ratelimit"] == '"resolvers";r=0;t=7' and "retry-after" not in a.headers
        ),
    ),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_fault_changes_the_answer_as_it_says_and_only_once(hub: Hub, url: str, name: str) -> None:
    fault, holds = RANGES[name]
    hub.faults.add(fault, times=1)
    answered = ask(url, range="bytes=10-19")
    assert holds(answered), answered
    healthy = ask(url, range="bytes=10-19")
    assert (healthy.status, healthy.body) == (206, PART)


def test_every_fault_can_be_had_by_its_name() -> None:
    assert faults.named("Stall", at=5, seconds=1) == faults.Stall(at=5, seconds=1)
    with pytest.raises(ValueError, match=r"no fault is called 'Flood'; there are .*Reset"):
        faults.named("Flood")


def test_a_reset_comes_behind_the_bytes_it_names(hub: Hub, url: str) -> None:
    rule = hub.faults.add(faults.Reset(at=5), times=1)
    assert ask(url).broken == "reset"
    assert (rule.hits, hub.bytes_sent("data.bin")) == (1, 5)


def test_more_bytes_than_announced_really_come(hub: Hub, url: str) -> None:
    hub.faults.add(faults.Extra(b"more"))
    connection = connect(hub.web_origin)
    connection.request("GET", "/data.bin")
    sock = connection.sock
    response = b""
    while received := sock.recv(1000):
        response += received
    connection.close()
    assert b"Content-Length: 100\r\n" in response
    assert response.endswith(DATA + b"more")


def test_a_date_to_come_back_lies_ahead(hub: Hub, url: str) -> None:
    hub.faults.add(faults.TooManyRequests(3600, "date"))
    told = parsedate_to_datetime(ask(url).headers["retry-after"]).timestamp()
    assert 3500 < told - time.time() < 3700


@pytest.mark.parametrize(
    ("fault", "at_least_s"),
    [
        (faults.Stall(seconds=0.2), 0.2),
        (faults.Stall(seconds=0.2, at=50), 0.2),
        (faults.Latency(0.2), 0.2),
        (faults.Drip(step=10, seconds=0.02), 0.15),
        (faults.RateCap(500), 0.15),
    ],
)
def test_slowness_takes_its_time_and_brings_everything(
    hub: Hub, url: str, fault: Fault, at_least_s: float
) -> None:
    hub.faults.add(fault)
    began = time.monotonic()
    assert ask(url).body == DATA
    assert time.monotonic() - began >= at_least_s


def test_a_rate_is_that_of_the_connection_and_not_of_each_request(hub: Hub, url: str) -> None:
    hub.faults.add(faults.RateCap(500))
    connection = connect(hub.web_origin)
    began = time.monotonic()
    for _ in range(10):
        connection.request("GET", "/data.bin", headers={"Range": "bytes=0-9"})
        connection.getresponse().read()
    connection.close()
    assert time.monotonic() - began >= 0.15


def test_a_connection_may_close_without_a_word_or_without_an_answer(hub: Hub, url: str) -> None:
    hub.faults.add(faults.SilentClose(), times=1)
    hub.faults.add(faults.Raw(), after=1, times=1)
    connection = connect(hub.web_origin)
    connection.request("GET", "/data.bin")
    response = connection.getresponse()
    assert response.read() == DATA
    assert "close" not in (response.getheader("connection") or "")
    sock = connection.sock
    assert sock.recv(1) == b""
    connection.close()
    with pytest.raises(http.client.RemoteDisconnected):
        ask(url)


def test_rules_choose_by_path_origin_and_method(hub: Hub, url: str) -> None:
    hub.faults.add(faults.Status(500), path="*.txt")
    hub.faults.add(faults.Status(501), origin="cdn")
    hub.faults.add(faults.NoHead())
    assert ask(url).status == 200
    assert ask(url, "HEAD").status == 405
    assert ask(hub.web.add("/a.txt", b"")).status == 500
    assert ask(hub.cdn_origin).status == 501
    hub.faults.add(faults.Status(502), method="GET")
    assert [ask(url, method).status for method in ("HEAD", "GET")] == [405, 502]


def test_rules_let_the_first_pass_and_end_after_their_times(hub: Hub, url: str) -> None:
    hub.faults.add(faults.Status(500), after=1, times=2)
    assert [ask(url).status for _ in range(4)] == [200, 500, 500, 200]


def test_rules_add_up_until_they_are_cleared(hub: Hub, url: str) -> None:
    hub.faults.add(faults.FlippedBit(at=0))
    rule = hub.faults.add(faults.Chunked())
    answered = ask(url)
    assert (answered.body[0], answered.headers["transfer-encoding"]) == (1, "chunked")
    hub.faults.remove(rule)
    assert (ask(url).body[0], ask(url).headers["content-length"]) == (1, "100")
    hub.faults.clear()
    assert ask(url).body == DATA


def test_a_change_may_follow_an_answer(hub: Hub, url: str) -> None:
    hub.faults.add(faults.Afterwards(lambda: hub.web.add("/data.bin", b"new")), times=1)
    assert ask(url).body == DATA
    assert ask(url).body == b"new"
