"""One file from a web address: what it is, and where such an address may not lead."""

from __future__ import annotations

import socket
import traceback
from pathlib import Path

import pytest

from downloader.library import errors
from downloader.library.http import Client
from downloader.library.refs import Ref
from downloader.library.sources import web as web_module
from downloader.library.sources.web import WebFile
from downloader.library.transfer import Engine, Target, TransferOptions
from downloader.library.watch import Control, Observer
from tests.hubs import Hub, faults
from tests.hubs.faults import Fault

pytestmark = pytest.mark.pure

BYTES = b"weights" * 1000
PUBLIC = "93.184.216.34"
SECRET = "X-Signature=c4n4ry"


def ref(url: str) -> Ref:
    return Ref("https", url)


@pytest.fixture
def web(client: Client) -> WebFile:
    """As it is by default: public addresses only."""
    return WebFile(client, {})


@pytest.fixture
def private(client: Client) -> WebFile:
    """Where addresses of this network are allowed."""
    return WebFile(client, {"allow_private": "true"})


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def test_a_file_is_known_by_its_first_byte(hub: Hub, private: WebFile, control: Control) -> None:
    url = hub.web.add("/models/my model.safetensors", BYTES)
    resolved = private.resolve(ref(url), control)
    (file,) = resolved.files
    assert (file.path, file.size, file.type) == ("my model.safetensors", len(BYTES), "model")
    assert file.digest is None
    assert file.warnings
    assert resolved.name == "my model"
    assert resolved.source_uri == url
    assert resolved.version == resolved.commit[:12]
    assert [entry.range for entry in hub.requests] == ["bytes=0-0"]


@pytest.mark.parametrize(
    ("fault", "size"),
    [
        (faults.IgnoreRange(), len(BYTES)),
        (faults.NoContentRange(), None),
        (faults.Chunked(), len(BYTES)),
    ],
    ids=["range ignored", "range not told", "chunked"],
)
def test_servers_with_other_manners_are_understood(
    hub: Hub, private: WebFile, control: Control, fault: Fault, size: int | None
) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    hub.faults.add(fault)
    assert private.resolve(ref(url), control).files[0].size == size


def test_an_empty_file_has_a_size_too(hub: Hub, private: WebFile, control: Control) -> None:
    url = hub.web.add("/a.json", b"")
    assert private.resolve(ref(url), control).files[0].size == 0


def test_the_name_is_the_servers_when_it_tells_one(
    hub: Hub, private: WebFile, control: Control
) -> None:
    url = hub.web.add("/download/12345", BYTES)
    hub.faults.add(faults.Disposition('attachment; filename="real.safetensors"'))
    assert private.resolve(ref(url), control).files[0].path == "real.safetensors"


def test_a_changed_file_is_another_version(hub: Hub, private: WebFile, control: Control) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    before = private.resolve(ref(url), control)
    again = private.resolve(ref(url), control)
    hub.web.add("/a.safetensors", BYTES + b"more")
    assert before.version == again.version != private.resolve(ref(url), control).version


def test_a_query_is_used_and_written_nowhere(hub: Hub, private: WebFile, control: Control) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    resolved = private.resolve(ref(f"{url}?{SECRET}"), control)
    assert resolved.source_uri == resolved.page == resolved.repo_id == url
    assert "query" in resolved.notes[0]
    assert hub.requests[0].target.endswith(f"?{SECRET}")
    assert private.locate(resolved, resolved.files[0]).url.endswith(SECRET)
    assert SECRET not in str(private.to_model_descriptor(resolved))


def test_a_web_page_is_no_file(hub: Hub, private: WebFile, control: Control) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    hub.faults.add(faults.LoginPage())
    with pytest.raises(errors.InvalidFile, match="is a web page"):
        private.resolve(ref(url), control)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AccessNeeded),
        (403, errors.AccessNeeded),
        (404, errors.NotFound),
        (410, errors.NotFound),
        (418, errors.ProtocolViolation),
        (500, errors.Unreachable),
    ],
)
def test_each_status_has_an_error_that_shows_no_query(
    hub: Hub, private: WebFile, control: Control, status: int, kind: type[errors.DownloadError]
) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    hub.faults.add(faults.Status(status, body=SECRET))
    with pytest.raises(kind) as raised:
        private.resolve(ref(f"{url}?{SECRET}"), control)
    assert SECRET not in told(raised.value)


def test_too_many_requests_says_how_long(hub: Hub, private: WebFile, control: Control) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    hub.faults.add(faults.TooManyRequests(120))
    with pytest.raises(errors.Throttled) as raised:
        private.resolve(ref(url), control)
    assert raised.value.retry_after_s == 120


@pytest.mark.parametrize("fault", [faults.Status(503), faults.SilentClose()], ids=["503", "closed"])
def test_what_is_well_a_moment_later_is_asked_again(
    hub: Hub, private: WebFile, control: Control, fault: Fault
) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    hub.faults.add(fault, origin="web", times=1)
    assert private.resolve(ref(url), control).files


# Forms that are refused


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@example.org/a.safetensors",
        f"https://{SECRET}@example.org/a.safetensors",
        f"http://example.org/a.safetensors?{SECRET}",
        f"ftp://example.org/a?{SECRET}",
        f"file:///etc/passwd?{SECRET}",
        f"https:///a.safetensors?{SECRET}",
        f"https://[::1/a?{SECRET}",
        f"https://example.org:99999/a?{SECRET}",
    ],
)
def test_an_address_of_another_form_is_refused_and_not_repeated(
    web: WebFile, control: Control, url: str
) -> None:
    with pytest.raises(errors.InvalidRef) as raised:
        web.resolve(ref(url), control)
    assert SECRET not in told(raised.value)


# Where it may not lead


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "224.0.0.1",
    ],
)
def test_addresses_of_this_network_are_refused_in_every_spelling(
    hub: Hub, web: WebFile, control: Control, host: str
) -> None:
    port = hub.web_origin.rpartition(":")[2]
    with pytest.raises(errors.DownloadError) as raised:
        web.resolve(ref(f"https://{host}:{port}/a.safetensors"), control)
    assert isinstance(raised.value, errors.Refused | errors.ProtocolViolation)
    assert hub.connections("web") == 0
    assert len(hub.requests) == 0


def test_the_private_door_opens_what_is_refused_otherwise(
    hub: Hub, web: WebFile, private: WebFile, control: Control
) -> None:
    url = hub.web.add("/a.safetensors", BYTES).replace("http:", "https:")
    with pytest.raises(errors.Refused, match="not allowed"):
        web.resolve(ref(url), control)
    assert private.resolve(ref(url.replace("https:", "http:")), control).files


def test_a_name_that_changes_its_address_gains_nothing(
    client: Client, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public at the first look, this machine at the next: the second is never connected to."""
    answers = iter([PUBLIC])
    connected: list[str] = []

    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        ip = next(answers, "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    def connect(_: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(errors.Refused, match="not allowed"):
        WebFile(client, {}).resolve(ref("https://rebinding.example/a"), control)
    assert connected == [PUBLIC]


def test_a_redirect_into_this_network_is_refused_on_every_hop(
    hub: Hub, client: Client, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that counts as public leads to one that does not."""
    inside = hub.web.add("/inside.safetensors", BYTES)
    outside = hub.web.add("/outside.safetensors", BYTES).replace("127.0.0.1", "localhost")
    hub.faults.add(faults.RedirectTo(inside), "/outside.safetensors")

    def open_to_localhost(host: str, ip: str) -> bool:
        return host == "localhost"

    monkeypatch.setattr(web_module, "public_only", open_to_localhost)
    monkeypatch.setattr(WebFile, "_check_form", lambda *_: None)
    with pytest.raises(errors.Refused, match="not allowed"):
        WebFile(client, {}).resolve(ref(outside), control)
    assert [entry.path for entry in hub.requests] == ["/outside.safetensors"]


def test_the_fetch_is_guarded_like_the_look(
    hub: Hub, web: WebFile, private: WebFile, client: Client, control: Control, tmp_path: Path
) -> None:
    """An engine with an open client is handed over: it is not the one that is used."""
    url = hub.web.add("/a.safetensors", BYTES)
    resolved = private.resolve(ref(url), control)
    before = len(hub.requests)
    engine = Engine(client, TransferOptions())
    target = {"a.safetensors": Target(tmp_path / "a.part")}
    with pytest.raises(errors.Refused, match="not allowed"):
        web.fetch(engine, resolved, target, control, Observer())
    assert len(hub.requests) == before


def test_a_fetch_brings_the_bytes(
    hub: Hub, private: WebFile, client: Client, control: Control, tmp_path: Path
) -> None:
    url = hub.web.add("/a.safetensors", BYTES)
    resolved = private.resolve(ref(url), control)
    engine = Engine(client, TransferOptions())
    fetched = private.fetch(
        engine, resolved, {"a.safetensors": Target(tmp_path / "a.part")}, control, Observer()
    )
    assert fetched["a.safetensors"].part.read_bytes() == BYTES
