"""DF_WEBHOOK_ALLOW_PRIVATE."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from dreamforge_site.environment import EnvironmentProblems, read
from jobs.webhooks import guard

pytestmark = pytest.mark.pure

PRIVATE = ("127.0.0.1", "10.0.0.1", "192.168.0.1", "172.20.0.1", "100.64.0.1", "::1", "fd00::1")
NEVER = ("169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::")


def allows(setting: str, text: str) -> bool:
    networks = read({"DF_WEBHOOK_ALLOW_PRIVATE": setting}).webhook_networks
    return guard.may_call(ip_address(text), networks)


def test_nothing_private_is_called_unless_the_operator_says_so() -> None:
    assert [allows("", text) or allows("off", text) for text in PRIVATE] == [False] * len(PRIVATE)


def test_on_opens_private_networks_and_never_link_local_ones() -> None:
    assert [allows("on", text) for text in PRIVATE] == [True] * len(PRIVATE)
    assert [allows("on", text) for text in NEVER] == [False] * len(NEVER)


def test_named_networks_are_opened_and_no_others() -> None:
    setting = "10.0.0.0/24, fd00::/64"
    assert [allows(setting, text) for text in ("10.0.0.9", "fd00::9")] == [True, True]
    assert [allows(setting, text) for text in ("10.0.1.9", "127.0.0.1")] == [False, False]


def test_a_wrong_word_stops_the_start_with_one_line() -> None:
    with pytest.raises(EnvironmentProblems) as raised:
        read({"DF_WEBHOOK_ALLOW_PRIVATE": "10.0.0.0/8,yes"})
    [line] = raised.value.lines
    assert line.startswith("DF_WEBHOOK_ALLOW_PRIVATE: got '10.0.0.0/8,yes', takes off")
