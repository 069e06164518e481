from __future__ import annotations

import pytest
from pydantic import SecretStr
from pytest_django import Settings

from dreamforge_site.accounts import first_admin
from dreamforge_site.accounts.errors import AccountError
from dreamforge_site.accounts.models import User

from . import parallel


@pytest.fixture(autouse=True)
def named_boss(settings: Settings) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"admin_user": "boss"})


def test_the_first_start_makes_an_administrator_and_tells_the_password_once(db: None) -> None:
    made = first_admin.ensure()
    assert (made.username, made.created) == ("boss", True)
    assert made.password is not None
    user = User.objects.get()
    assert user.is_superuser
    assert user.is_staff
    assert user.check_password(made.password)


def test_the_second_start_changes_nothing(db: None) -> None:
    first_admin.ensure()
    before = User.objects.values().get()
    again = first_admin.ensure()
    assert again == first_admin.FirstAdmin("boss", None, created=False)
    assert User.objects.values().get() == before


def test_a_given_password_is_used_and_not_told(db: None, settings: Settings) -> None:
    given = SecretStr("given by the operator")
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"admin_password": given})
    assert first_admin.ensure().password is None
    assert User.objects.get().check_password(given.get_secret_value())


def test_another_superuser_is_enough(root: User) -> None:
    assert first_admin.ensure() == first_admin.FirstAdmin("root", None, created=False)
    assert User.objects.count() == 1


@pytest.mark.parametrize("taken", ["boss", "BOSS"])
def test_an_ordinary_user_of_that_name_is_not_raised(db: None, taken: str) -> None:
    User.objects.create_user(taken)
    with pytest.raises(AccountError, match="DF_ADMIN_USER"):
        first_admin.ensure()
    assert not User.objects.filter(is_superuser=True).exists()


@pytest.mark.django_db(transaction=True)
def test_racing_starts_make_one_administrator() -> None:
    results = parallel.run(first_admin.ensure, times=6)
    made = [result for result in results if isinstance(result, first_admin.FirstAdmin)]
    assert len(made) == 6
    told = [result.password for result in made if result.created]
    assert len(told) == 1
    assert User.objects.get().check_password(told[0] or "")


@pytest.mark.pure
def test_generated_passwords_differ_and_can_be_typed() -> None:
    some = {first_admin.generate_password() for _ in range(50)}
    assert len(some) == 50
    assert set("".join(some)) <= set(first_admin.ALPHABET + "-")
