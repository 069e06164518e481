from __future__ import annotations

import bcrypt
import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import check_password, make_password
from pytest_django import Settings

from dreamforge_site.accounts.models import User
from dreamforge_site.environment import Environment

from .conftest import PASSWORD


@pytest.mark.pure
def test_passwords_are_bcrypt_of_cost_12_by_default(settings: Settings) -> None:
    settings.BCRYPT_ROUNDS = Environment.model_fields["bcrypt_rounds"].default
    assert make_password(PASSWORD).startswith("bcrypt_sha256$$2b$12$")


@pytest.mark.pure
def test_characters_beyond_the_72nd_byte_count() -> None:
    stored = make_password("é" * 60 + "right")
    assert check_password("é" * 60 + "right", stored)
    assert not check_password("é" * 60 + "wrong", stored)


def test_login_upgrades_a_hash_of_lower_cost(mira: User, settings: Settings) -> None:
    settings.BCRYPT_ROUNDS = 11
    assert authenticate(username="mira", password=PASSWORD) == mira
    mira.refresh_from_db()
    assert mira.password.startswith("bcrypt_sha256$$2b$11$")
    assert check_password(PASSWORD, mira.password)


def hashed_for(monkeypatch: pytest.MonkeyPatch, username: str) -> list[bytes]:
    """The salts (cost and all) that one failing login hashed with."""
    salts: list[bytes] = []
    hashpw = bcrypt.hashpw

    def counted(password: bytes, salt: bytes) -> bytes:
        salts.append(salt[:7])
        return hashpw(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", counted)
    assert authenticate(username=username, password="wrong") is None
    return salts


@pytest.mark.parametrize("username", ["mira", "nobody", "retired", "default"])
def test_every_wrong_login_costs_one_hash(
    mira: User, monkeypatch: pytest.MonkeyPatch, settings: Settings, username: str
) -> None:
    User.objects.create_user("retired", password=PASSWORD, is_active=False)
    User.objects.create_user("default")
    assert hashed_for(monkeypatch, username) == [f"$2b${settings.BCRYPT_ROUNDS:02}$".encode()]
