"""From a mapping of names to the parsed Environment, or to one readable line for each problem."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from dreamforge_site import databases
from dreamforge_site.environment.variables import (
    BASE_DIR,
    PREFIX,
    Environment,
    is_secret,
    takes,
    variable_names,
)

DISTINCT_KEY_CHARACTERS = 10
BROKER_SCHEMES = ("embedded", "redis", "rediss", "amqp", "amqps")


class EnvironmentProblems(Exception):
    """What is wrong with the environment, one readable line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read(variables: Mapping[str, str], base_dir: Path = BASE_DIR) -> Environment:
    """Parse the environment, or raise EnvironmentProblems with every problem found."""
    merged = {**_dotenv(variables, base_dir), **variables}
    given, problems = _with_secret_files(merged)
    problems += _unknown_names(merged)
    values = {
        field: given[name]
        for field, info in Environment.model_fields.items()
        for name in reversed(variable_names(field, info))
        if given.get(name, "").strip()
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
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _dotenv(variables: Mapping[str, str], base_dir: Path) -> dict[str, str]:
    """`.env` beside manage.py, in development only: production is given its environment."""
    path = base_dir / ".env"
    if variables.get("DF_ENV") == "production" or not path.is_file():
        return {}
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _with_secret_files(merged: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    given, problems = dict(merged), []
    for name in _secret_names():
        path = merged.get(f"{name}_FILE", "").strip()
        if not path:
            continue
        if merged.get(name, "").strip():
            problems.append(f"{name}: given together with {name}_FILE; keep one of the two")
            continue
        try:
            given[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            problems.append(f"{name}_FILE: cannot read {path!r}: {reason}")
    return given, problems


def _secret_names() -> Iterator[str]:
    for field, info in Environment.model_fields.items():
        if is_secret(info):
            yield from variable_names(field, info)


def known_names() -> set[str]:
    names = {
        n for field, info in Environment.model_fields.items() for n in variable_names(field, info)
    }
    return names | {f"{name}_FILE" for name in _secret_names()}


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
        name = next((n for n in names if given.get(n, "").strip()), names[0])
        got = "a value" if is_secret(info) else repr(given.get(name, ""))
        lines.append(f"{name}: got {got}, takes {takes(info)}")
    return list(dict.fromkeys(lines))


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
    return problems + _bad_networks(env) + _bad_devices(env) + _bad_urls(env)


def _is_guessable(key: SecretStr) -> bool:
    text = key.get_secret_value()
    return len(set(text)) < DISTINCT_KEY_CHARACTERS or text.startswith("django-insecure-")


def _bad_networks(env: Environment) -> list[str]:
    words = {"trusted_proxies": (), "webhook_allow_private": ("on", "off")}
    return [
        f"{PREFIX}{field.upper()}: got {given!r}, takes {takes(Environment.model_fields[field])}"
        for field, known in words.items()
        for given in getattr(env, field)
        if given not in known and not _is_network(given)
    ]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _bad_devices(env: Environment) -> list[str]:
    if all(device.isdecimal() for device in env.gpu_devices):
        return []
    got = ",".join(env.gpu_devices)
    wanted = takes(Environment.model_fields["gpu_devices"])
    return [f"DF_GPU_DEVICES: got {got!r}, takes {wanted}"]


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
        scheme = env.broker_url.get_secret_value().partition("://")[0]
        if scheme not in BROKER_SCHEMES:
            wanted = takes(Environment.model_fields["broker_url"])
            problems.append(f"DF_BROKER_URL: got scheme {scheme!r}, takes {wanted}")
    return problems
