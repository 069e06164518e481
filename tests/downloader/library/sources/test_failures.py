"""When a hub does not answer as it should: one of our errors, with what to do next, and never a
word of a token, whatever the hub sent."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Iterator
from dataclasses import replace

import pytest
from huggingface_hub import constants

from downloader.library import errors
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.sources.base import Resolved, Source
from downloader.library.sources.civitai import CivitAI
from downloader.library.sources.huggingface import HuggingFace
from downloader.library.watch import Control
from tests.downloader.library.sources.conftest import HASTY
from tests.hubs import Hub, InMemory, faults
from tests.hubs.civitai import File, Version
from tests.hubs.faults import Fault
from tests.hubs.messages import Response

pytestmark = pytest.mark.pure

API = "/api/*"
FOREIGN_MODULES = ("httpx2", "huggingface_hub", "httpcore2")


@pytest.fixture
def stocked(hub: Hub) -> Iterator[Hub]:
    """A hub of each kind with one model, whose readers hold the tokens."""
    hub.huggingface.add("author/repo", {f"{n}.json": "{}" for n in range(5)}, private=True)
    hub.huggingface.page_size = 2
    hub.civitai.add(5, [Version(51, files=(File("a.safetensors", b"a" * 1000),))])
    yield hub
    assert hub.leaks == []


def sources(hub: Hub, client: Client) -> dict[str, tuple[Source, Ref]]:
    facts = {"endpoint": hub.huggingface.endpoint, "token": hub.huggingface.token}
    others = {"endpoint": hub.civitai_endpoint, "token": hub.civitai.token}
    return {
        "hf": (HuggingFace(client, facts), Ref("hf", "author/repo")),
        "civitai": (CivitAI(client, others), Ref("civitai", "5")),
    }


def resolve(hub: Hub, client: Client, scheme: str) -> Resolved:
    source, ref = sources(hub, client)[scheme]
    return source.resolve(ref, Control())


def failure(hub: Hub, client: Client, scheme: str) -> errors.DownloadError:
    """The error, once it is sure that it carries no secret and nothing of another library."""
    with pytest.raises(errors.DownloadError) as raised:
        resolve(hub, client, scheme)
    error = raised.value
    told = "".join(traceback.format_exception(error)) + f"{error!r}{error.args}{error.details}"
    assert hub.huggingface.token not in told
    assert hub.civitai.token not in told
    assert not [link for link in chain(error) if type(link).__module__.startswith(FOREIGN_MODULES)]
    return error


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all it came from, shown or not."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def echo(hub: Hub) -> Response:
    """An error page that repeats the tokens, as careless servers do."""
    secrets = f"{hub.huggingface.token} {hub.civitai.token}"
    return Response(
        418,
        {"X-Error-Message": secrets, "X-Error-Code": secrets, "X-Request-Id": secrets},
        InMemory(f'{{"error": "{secrets}", "message": "{secrets}"}}'.encode()),
    )


BOTH = pytest.mark.parametrize("scheme", ["hf", "civitai"])


@BOTH
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, errors.DownloadError, ""),
        (401, errors.AccessNeeded, "does not accept the token"),
        (403, errors.AccessNeeded, "token"),
        (404, errors.NotFound, ""),
        (410, errors.NotFound, ""),
        (418, errors.ProtocolViolation, "answer"),
        (500, errors.Unreachable, "Try again later"),
        (503, errors.Unreachable, "Try again later"),
    ],
)
def test_each_status_has_an_error_of_ours(
    stocked: Hub,
    client: Client,
    scheme: str,
    status: int,
    kind: type[errors.DownloadError],
    words: str,
) -> None:
    stocked.faults.add(faults.Changed(lambda _: replace(echo(stocked), status=status)), API)
    error = failure(stocked, client, scheme)
    assert isinstance(error, kind)
    assert words in error.message


@BOTH
@pytest.mark.parametrize("how", ["seconds", "date", "ratelimit"])
def test_a_hub_that_asks_for_more_patience_than_there_is_says_for_how_long(
    stocked: Hub, client: Client, scheme: str, how: str
) -> None:
    stocked.faults.add(faults.TooManyRequests(3600, how), API)
    error = failure(stocked, client, scheme)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after_s == pytest.approx(3600, abs=5)
    assert len(stocked.requests) == 1


@BOTH
@pytest.mark.parametrize(
    "fault",
    [faults.Status(503), faults.TooManyRequests(0), faults.SilentClose(), faults.Raw(b"")],
    ids=["503", "429", "silent close", "no answer"],
)
def test_what_is_well_a_moment_later_is_asked_again(
    stocked: Hub, client: Client, scheme: str, fault: Fault
) -> None:
    origin = "huggingface" if scheme == "hf" else "civitai"
    stocked.faults.add(fault, API, origin=origin, times=1)
    assert resolve(stocked, client, scheme).files


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        faults.RedirectLoop(),
        faults.RedirectTo("file:///etc/passwd"),
        faults.RedirectTo("ftp://example.org/"),
    ],
    ids=["loop", "file", "ftp"],
)
def test_a_redirect_that_leads_nowhere_is_an_error(
    stocked: Hub, client: Client, scheme: str, fault: Fault
) -> None:
    stocked.faults.add(fault, API)
    assert isinstance(failure(stocked, client, scheme), errors.ProtocolViolation)


@BOTH
def test_a_redirect_to_another_host_takes_no_token_along(
    stocked: Hub, client: Client, scheme: str
) -> None:
    elsewhere = stocked.web.add("/elsewhere.json", "{}")
    stocked.faults.add(faults.RedirectTo(elsewhere), API, times=1)
    assert isinstance(failure(stocked, client, scheme), errors.ProtocolViolation)
    (asked,) = stocked.requests.of("/elsewhere.json")
    assert "authorization" not in asked.headers


@BOTH
@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", "null", "5", "{}", '{"id": true}', '{"id": "x"}', "[" * 100_000, "\ud800"],
)
def test_json_of_another_shape_is_an_error_that_names_the_endpoint(
    stocked: Hub, client: Client, scheme: str, body: str
) -> None:
    strange = Response(200, {}, InMemory(body.encode("utf-8", "surrogatepass")))
    stocked.faults.add(faults.Changed(lambda _: strange), API)
    error = failure(stocked, client, scheme)
    assert isinstance(error, errors.ProtocolViolation)
    endpoint = stocked.huggingface.endpoint if scheme == "hf" else stocked.civitai_endpoint
    assert endpoint in error.message


@BOTH
def test_a_list_that_is_cut_is_an_error(stocked: Hub, client: Client, scheme: str) -> None:
    stocked.faults.add(faults.CutJson(), API)
    assert isinstance(failure(stocked, client, scheme), errors.ProtocolViolation)


@BOTH
def test_nobody_there_says_what_to_check(stocked: Hub, client: Client, scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        kind = {"hf": HuggingFace, "civitai": CivitAI}[scheme]
        source = kind(client, {"endpoint": endpoint})
        with pytest.raises(errors.Unreachable) as raised:
            source.resolve(sources(stocked, client)[scheme][1], Control())
    assert "127.0.0.1" in raised.value.message


@BOTH
def test_a_stop_ends_the_wait_for_a_silent_hub(stocked: Hub, scheme: str) -> None:
    stocked.faults.add(faults.Latency(3600), API)
    control = Control()
    stocked.faults.add(faults.Afterwards(control.cancel), API)
    with Client(replace(HASTY, read_timeout_s=3600)) as patient:
        source, ref = sources(stocked, patient)[scheme]
        with pytest.raises(errors.Canceled):
            source.resolve(ref, control)


@BOTH
@pytest.mark.parametrize(
    "endpoint",
    ["huggingface.co", "ftp://host", "https://", "http://u:secret@host", "http://h/?token=secret"],
)
def test_an_endpoint_that_is_none_is_refused_and_not_repeated(
    client: Client, scheme: str, endpoint: str
) -> None:
    kind = {"hf": HuggingFace, "civitai": CivitAI}[scheme]
    with pytest.raises(errors.Refused, match="ENDPOINT is not an address") as raised:
        kind(client, {"endpoint": endpoint})
    assert "secret" not in str(raised.value)


@BOTH
@pytest.mark.parametrize("token", ["line\nbreak", "täken", "two words", "nul\0"])
def test_a_token_that_no_header_takes_is_refused_and_not_repeated(
    client: Client, scheme: str, token: str
) -> None:
    kind = {"hf": HuggingFace, "civitai": CivitAI}[scheme]
    with pytest.raises(errors.Refused, match="_TOKEN holds characters") as raised:
        kind(client, {"token": token})
    assert token not in "".join(traceback.format_exception(raised.value))


@BOTH
def test_a_token_with_a_line_end_around_it_is_the_token(
    stocked: Hub, client: Client, scheme: str
) -> None:
    source, ref = sources(stocked, client)[scheme]
    again = type(source)(client, {**source.settings, "token": f"{source.settings['token']}\n"})
    assert again.resolve(ref, Control()).files


# Lists of Hugging Face


def test_pages_that_never_end_are_an_error(stocked: Hub, client: Client) -> None:
    stocked.faults.add(faults.EndlessPages(), "*/tree/*", after=1)
    error = failure(stocked, client, "hf")
    assert isinstance(error, errors.ProtocolViolation)
    assert "without end" in error.message


def test_a_page_that_is_lost_is_made_good_from_the_other_list(stocked: Hub, client: Client) -> None:
    stocked.faults.add(faults.LostPages(), "*/tree/*")
    files = resolve(stocked, client, "hf").files
    assert sorted(file.path for file in files) == [f"{n}.json" for n in range(5)]
    assert {file.size for file in files} == {2}
    assert all(file.digest for file in files)


def test_a_next_page_on_another_host_is_asked_for_at_home(stocked: Hub, client: Client) -> None:
    def elsewhere(response: Response) -> Response:
        link = response.header("link") or ""
        return response.having(link=link.replace(stocked.huggingface.endpoint, stocked.web_origin))

    stocked.faults.add(faults.Changed(elsewhere), "*/tree/*")
    assert len(resolve(stocked, client, "hf").files) == 5
    assert not stocked.requests.of(origin="web")


@pytest.mark.parametrize("status", [401, 403])
def test_a_hub_that_gates_its_lists_says_where_to_accept_the_terms(
    stocked: Hub, client: Client, status: int
) -> None:
    refusal = Response(status, {"X-Error-Code": "GatedRepo"})
    stocked.faults.add(faults.Changed(lambda _: refusal), API)
    error = failure(stocked, client, "hf")
    assert isinstance(error, errors.AccessNeeded)
    assert "is gated" in error.message
    assert error.visit == f"{stocked.huggingface.endpoint}/author/repo"


def test_offline_mode_is_the_operators_word(
    stocked: Hub, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    error = failure(stocked, client, "hf")
    assert isinstance(error, errors.Refused)
    assert "HF_HUB_OFFLINE" in error.message
    assert len(stocked.requests) == 0


@pytest.mark.parametrize("sha", [None, "", "abc", "../../x", 5, "G" * 40])
def test_a_commit_that_is_none_is_not_believed(stocked: Hub, client: Client, sha: object) -> None:
    def lie(response: Response) -> Response:
        told = json.loads(response.content.read()) | {"sha": sha}
        return replace(response, content=InMemory(json.dumps(told).encode()))

    stocked.faults.add(faults.Changed(lie), "*/revision/*")
    assert isinstance(failure(stocked, client, "hf"), errors.ProtocolViolation)


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b/c", "a/../b", "http://evil/", "", 5, None, "a/b?x=1"]
)
def test_a_repository_that_calls_itself_something_odd_is_not_believed(
    stocked: Hub, client: Client, name: object
) -> None:
    def lie(response: Response) -> Response:
        told = json.loads(response.content.read()) | {"id": name}
        return replace(response, content=InMemory(json.dumps(told).encode()))

    stocked.faults.add(faults.Changed(lie), "*/revision/*")
    error = failure(stocked, client, "hf")
    assert isinstance(error, errors.ProtocolViolation)


@pytest.mark.parametrize(
    "line",
    [
        {"type": "file"},
        {"type": "file", "path": 5, "size": 1, "oid": "a" * 40},
        {"type": "file", "path": "a", "size": -1, "oid": "a" * 40},
        {"type": "file", "path": "a", "size": "1", "oid": "a" * 40},
        {"type": "file", "path": "a", "size": True, "oid": "a" * 40},
        {"type": "file", "path": "a", "size": 1, "lfs": "yes"},
        "a",
    ],
)
def test_a_line_of_a_tree_that_makes_no_sense_is_an_error(
    stocked: Hub, client: Client, line: object
) -> None:
    told = Response(200, {}, InMemory(json.dumps([line]).encode()))
    stocked.faults.add(faults.Changed(lambda _: told), "*/tree/*")
    assert isinstance(failure(stocked, client, "hf"), errors.ProtocolViolation)


@pytest.mark.parametrize("oid", [None, "", "zz", "a" * 41, 5])
def test_a_digest_that_is_none_leaves_the_file_without_one_and_warns(
    stocked: Hub, client: Client, oid: object
) -> None:
    line = {"type": "file", "path": "0.json", "size": 1, "oid": oid}
    told = Response(200, {}, InMemory(json.dumps([line]).encode()))
    stocked.faults.add(faults.Changed(lambda _: told), "*/tree/*")
    first = resolve(stocked, client, "hf").files[0]
    assert first.digest is None
    assert "no usable digest" in first.warnings[0]
