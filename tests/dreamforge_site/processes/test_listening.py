from __future__ import annotations

import os
import socket

import pytest

from dreamforge_site.processes import listening

pytestmark = pytest.mark.pure


def test_a_taken_port_says_what_to_do() -> None:
    with listening.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(listening.ListenError, match=f"port {port}: .* another port with PORT="):
            listening.listen("127.0.0.1", port)


def test_a_foreign_address_says_what_to_do() -> None:
    with pytest.raises(listening.ListenError, match="correct DF_HOST"):
        listening.listen("192.0.2.1", 8000)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(listening.ListenError, match=r"no-such-host\.invalid"):
        listening.listen("no-such-host.invalid", 8000)


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("127.0.0.1", socket.AF_INET),
        ("localhost", socket.AF_INET),
        ("::1", socket.AF_INET6),
        ("[::1]", socket.AF_INET6),
    ],
)
def test_names_and_both_families_are_taken(host: str, family: socket.AddressFamily) -> None:
    with listening.listen(host, 0) as listener:
        assert listener.family == family


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:8000"),
        ("forge.example.org", "http://forge.example.org:8000"),
    ],
)
def test_the_shown_address_is_one_that_can_be_opened(host: str, url: str) -> None:
    assert listening.url(host, 8000) == url


def test_an_inherited_socket_is_used_and_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening.listen("127.0.0.1", 0) as parent:
        monkeypatch.setenv(listening.LISTEN_FD, str(os.dup(parent.fileno())))
        with listening.inherit_or_listen("127.0.0.1", 1) as inherited:
            assert inherited.getsockname() == parent.getsockname()
            assert not inherited.get_inheritable()
        assert listening.LISTEN_FD not in os.environ
