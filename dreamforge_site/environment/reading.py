"""From a mapping of names to the parsed Environment, or to one readable line for each problem."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from dreamforge_site import broker, databases
from dreamforge_site.environment import secret_files
from dreamforge_site.environment.variables import (
    BASE_DIR,
    PREFIX,
    Environment,
    is_secret,
    takes,
    variable_names,
)

DISTINCT_KEY_CHARACTERS = 10
LOGIN = re.compile(r"//\S*@")
# Not a setting: how a test or a tool says which file stands for `.env` (os.devnull: none).
DOTENV = "DREAMFORGE_DOTENV"


class EnvironmentProblems(Exception):
    """What is wrong with the environment, one readable line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read(variables: Mapping[str, str], base_dir: Path = BASE_DIR) -> Environment:
    """Parse the environment, or raise EnvironmentProblems with every problem found."""
    dotenv = _dotenv(variables, base_dir)
    given, problems = _with_secret_files(_merged(dotenv, variables))
    problems += _unknown_names({**dotenv, **variables})
    values = {
        field: given[name]
        for field, info in Environment.model_fields.items()
        for name in reversed(variable_names(field, info))
        if name in given
    }
    try:
        environment = Environment.model_validate(values)
    except ValidationError as error:
        raise EnvironmentProblems(problems + _lines(error, given)) from None
    problems += _conflicts(environment)
    if problems:
        raise EnvironmentProblems(problems)
    return environment


def is_loopback(host: str) -> bool:
    if host.lower() in ("localhost", "ip6-localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _dotenv(variables: Mapping[str, str], base_dir: Path) -> dict[str, str]:
    """`.env` beside manage.py, in development only: production is given its environment."""
    path = Path(variables.get(DOTENV) or base_dir / ".env")
    if variables.get("DF_ENV") == "production" or not path.is_file():
        return {}
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _merged(dotenv: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """What is not empty; what the environment gives under any name, `.env` gives under none."""
    given = _not_empty(variables)
    beaten = {name for names in _names_of_fields() if names & given.keys() for name in names}
    below = {name: value for name, value in _not_empty(dotenv).items() if name not in beaten}
    return {**below, **given}


def _not_empty(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if value.strip()}


def _names_of_fields() -> Iterator[set[str]]:
    """Every name one field can be given by."""
    for field, info in Environment.model_fields.items():
        names = set(variable_names(field, info))
        yield names | {f"{name}_FILE" for name in names} if is_secret(info) else names


def _with_secret_files(merged: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    given, problems = dict(merged), []
    for name in _secret_names():
        path = merged.get(f"{name}_FILE", "").strip()
        if not path:
            continue
        if name in merged:
            problems.append(f"{name}: given together with {name}_FILE; keep one of the two")
            continue
        try:
            given[name] = secret_files.text(Path(path)).strip()
        except (OSError, secret_files.Unreadable) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            problems.append(f"{name}_FILE: cannot read {path!r}: {reason}")
    return given, problems


def _secret_names() -> Iterator[str]:
    for field, info in Environment.model_fields.items():
        if is_secret(info):
            yield from variable_names(field, info)


def known_names() -> set[str]:
    return set[str]().union(*_names_of_fields())


def _unknown_names(merged: Mapping[str, str]) -> list[str]:
    known = known_names()
    problems = []
    for name in sorted(merged):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see docs/configuration.md"
            problems.append(f"{name}: is not a variable of Dream Forge{hint}")
    return problems


def _lines(error: ValidationError, given: Mapping[str, str]) -> list[str]:
    lines = []
    for part in error.errors():
        field = _field_of(str(part["loc"][0]))
        info = Environment.model_fields[field]
        names = variable_names(field, info)
        name = next((n for n in names if n in given), names[0])
        got = "a value" if is_secret(info) else repr(_nameless(given.get(name, "")))
        lines.append(f"{name}: got {got}, takes {takes(info)}")
    return list(dict.fromkeys(lines))


def _nameless(value: str) -> str:
    """Addresses in it without a user's name and password."""
    return LOGIN.sub("//…@", value)


def _field_of(location: str) -> str:
    for field, info in Environment.model_fields.items():
        if location == field or location in variable_names(field, info):
            return field
    raise KeyError(location)


def _conflicts(env: Environment) -> list[str]:
    """Values that are fine alone and wrong together."""
    rules = (
        (
            not env.auth_required and not is_loopback(env.host),
            f"DF_AUTH: is off while DF_HOST is {env.host!r}; "
            "set DF_AUTH=on to listen beyond loopback",
        ),
        (
            env.storage == "s3" and not env.s3_bucket,
            "DF_S3_BUCKET: got nothing, takes a bucket name when DF_STORAGE=s3",
        ),
        (
            bool(env.s3_access_key) != bool(env.s3_secret_key),
            "DF_S3_ACCESS_KEY: and DF_S3_SECRET_KEY are given together or not at all",
        ),
        (
            env.in_production and not env.auth_required,
            "DF_AUTH: got 'off', takes on in production",
        ),
        (
            env.in_production and env.debug,
            "DF_DEBUG: got 'true', takes false in production",
        ),
        (
            env.in_production and env.secret_key is None,
            "DF_SECRET_KEY: got nothing, takes at least 50 random characters in production",
        ),
        (
            env.in_production and env.secret_key is not None and _is_guessable(env.secret_key),
            "DF_SECRET_KEY: got a value that is easy to guess, takes at least 50 random characters",
        ),
        (
            env.in_production and not env.allowed_hosts,
            "DF_ALLOWED_HOSTS: got nothing, takes the host names of the service in production",
        ),
    )
    problems = [line for broken, line in rules if broken]
    return problems + _bad_urls(env)


def _is_guessable(key: SecretStr) -> bool:
    text = key.get_secret_value()
    return len(set(text)) < DISTINCT_KEY_CHARACTERS or text.startswith("django-insecure-")


def _bad_urls(env: Environment) -> list[str]:
    """These addresses hold passwords: a line tells what is wrong with one, never the value."""
    problems = []
    if env.database_url is not None:
        try:
            databases.parse(env.database_url.get_secret_value(), env.database_pool)
        except ValueError as error:
            wanted = takes(Environment.model_fields["database_url"])
            problems.append(f"DF_DATABASE_URL: {error}; takes {wanted}")
    if env.broker_url is not None:
        try:
            broker.require_usable(env.broker_url.get_secret_value())
        except ValueError as error:
            wanted = takes(Environment.model_fields["broker_url"])
            problems.append(f"DF_BROKER_URL: {error}; takes {wanted}")
    return problems
