from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from dreamforge_site.accounts import clock, keys
from dreamforge_site.accounts.models import ApiKey, User

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def create(**options: Any) -> None:
    given = {"user": "mira", "name": "renders", "scopes": "read,jobs", **options}
    call_command("apikey_create", **given)


def test_create_prints_the_key_and_nothing_else(
    mira: User, capsys: pytest.CaptureFixture[str]
) -> None:
    create()
    written = capsys.readouterr()
    assert keys.verify(written.out.removesuffix("\n")).scopes == ["read", "jobs"]
    assert "Made for mira" in written.err
    assert "dfk_" not in written.err


def test_create_as_json_tells_the_facts(mira: User, capsys: pytest.CaptureFixture[str]) -> None:
    create(expires_days=30, json=True)
    facts = json.loads(capsys.readouterr().out)
    assert keys.verify(facts["key"]).owner == mira
    assert (facts["owner"], facts["scopes"]) == ("mira", ["read", "jobs"])
    assert re.fullmatch(INSTANT, facts["expires_at"])


@pytest.mark.parametrize(
    ("options", "exit_code"),
    [
        ({"user": "nobody"}, 3),
        ({"scopes": "root"}, 2),
        ({"scopes": ","}, 2),
        ({"name": " "}, 2),
        ({"name": "x" * 101}, 2),
        ({"name": "a\0b"}, 2),
        ({"name": "a\nb"}, 2),
        ({"name": "a\x1b[31mb"}, 2),
        ({"name": "a\u202eb"}, 2),
        ({"expires_days": 0}, 2),
        ({"expires_days": -1}, 2),
        ({"expires_days": 10**9}, 2),
    ],
)
def test_create_refuses_with_the_exit_code_of_the_contract(
    mira: User, options: dict[str, Any], exit_code: int
) -> None:
    with pytest.raises(CommandError) as raised:
        create(**options)
    assert raised.value.returncode == exit_code
    assert "\n" not in str(raised.value)
    assert not ApiKey.objects.exists()


def test_list_shows_keys_without_their_secrets(
    mira: User, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keys.make(mira, "renders", ["read"])
    keys.revoke(keys.make(User.objects.create_user("other"), "gone", ["admin"]))
    call_command("apikey_list")
    written = capsys.readouterr().out
    assert f"{key.prefix}  live  mira  renders  read  -  -" in written
    assert "revoked  other  gone  admin" in written
    assert key.revealed.split("_", 2)[2] not in written


def test_list_of_one_owner_as_json(mira: User, capsys: pytest.CaptureFixture[str]) -> None:
    keys.make(mira, "renders", ["read", "jobs"], clock.now() + timedelta(days=1))
    keys.make(User.objects.create_user("other"), "theirs", ["read"])
    call_command("apikey_list", user="MIRA", json=True)
    [row] = json.loads(capsys.readouterr().out)
    assert (row["name"], row["scopes"]) == ("renders", ["read", "jobs"])
    assert re.fullmatch(INSTANT, row["expires_at"])


def test_a_name_that_came_past_the_checks_does_no_harm_to_a_terminal(
    mira: User, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keys.make(mira, "renders", ["read"])
    ApiKey.objects.update(name="a\x1b[2J\u202e\nb")
    call_command("apikey_list")
    call_command("apikey_revoke", key.prefix)
    written = capsys.readouterr()
    assert r"a\x1b[2J\u202e\nb  read" in written.out
    assert r"a\x1b[2J\u202e\nb (dfk_" in written.err


def test_list_of_an_unknown_owner_is_not_found(db: None) -> None:
    with pytest.raises(CommandError) as raised:
        call_command("apikey_list", user="nobody")
    assert raised.value.returncode == 3


@pytest.mark.parametrize("reference", ["{prefix}", "dfk_{prefix}", "{whole}"])
def test_revoke_takes_a_prefix_and_twice_is_no_error(
    mira: User, capsys: pytest.CaptureFixture[str], reference: str
) -> None:
    key = keys.make(mira, "renders", ["read"])
    text = reference.format(prefix=key.prefix, whole=key.revealed)
    call_command("apikey_revoke", text)
    call_command("apikey_revoke", text)
    written = capsys.readouterr()
    assert "is revoked" in written.err
    assert "was revoked before" in written.err
    assert written.out == ""
    assert ApiKey.objects.get().revoked_at is not None


def test_revoke_of_an_unknown_key_is_not_found_and_does_not_repeat_it(db: None) -> None:
    with pytest.raises(CommandError) as raised:
        call_command("apikey_revoke", "dfk_00000000_hush")
    assert raised.value.returncode == 3
    assert "hush" not in str(raised.value)
