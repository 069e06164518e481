"""Every environment variable Dream Forge reads, parsed once into one frozen value.

The table below is the only place that names a variable: `settings.py` reads the parsed value, the
documentation is generated from it (`make config-docs`), and a name it does not know stops the start.
A variable that holds a secret can also be given as `<NAME>_FILE`, the path of a file that holds it.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dreamforge_site import databases

BASE_DIR = Path(__file__).resolve().parent.parent
PREFIX = "DF_"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

CommaList = Annotated[tuple[str, ...], NoDecode]


class EnvironmentProblems(Exception):
    """What is wrong with the environment, one readable line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def variable(
    default: Any, *, takes: str, does: str, names: tuple[str, ...] = (), **bounds: Any
) -> Any:
    """A field of the table: `takes` completes an error line, `does` the documentation."""
    alias = AliasChoices(*names) if names else None
    return Field(
        default,
        validation_alias=alias,
        description=does,
        json_schema_extra={"takes": takes},
        **bounds,
    )


class Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    # How this process runs
    env: Literal["development", "production"] = variable(
        "development",
        takes="development or production",
        does="Production refuses a generated secret key, debug mode and open authentication.",
    )
    debug: bool = variable(
        False, takes="true or false", does="Django's debug pages, for work on Dream Forge itself."
    )
    data_dir: Path = variable(
        BASE_DIR / "data",
        takes="a folder the service may write to",
        does="Everything the embedded default keeps: database, artifacts, models, broker, keys.",
    )
    host: str = variable(
        "127.0.0.1",
        takes="an IP address or host name to listen on",
        does="Address the web server listens on. Anything but loopback needs `DF_AUTH=on`.",
    )
    port: int = variable(
        8000,
        names=("DF_PORT", "PORT"),
        takes="a port number from 1 to 65535",
        does="Port the web server listens on.",
        ge=1,
        le=65535,
    )
    web_processes: int = variable(
        1, takes="a number from 1 to 64", does="Web server processes.", ge=1, le=64
    )
    web_threads: int = variable(
        4,
        takes="a number from 1 to 64",
        does="Threads that run Django in each web process; streams need none.",
        ge=1,
        le=64,
    )
    log_level: Literal["debug", "info", "warning", "error"] = variable(
        "info", takes="debug, info, warning or error", does="Least severe log line that is written."
    )
    log_format: Literal["auto", "json", "text"] = variable(
        "auto",
        takes="auto, json or text",
        does="`auto` writes text to a terminal and one JSON object a line elsewhere.",
    )

    # Who may call
    auth: Literal["on", "off"] | None = variable(
        None,
        takes="on or off",
        does="`off` (the development default) makes every caller the user `default`; it is refused "
        "unless the server listens on loopback only. Production is always `on`.",
    )
    secret_key: SecretStr | None = variable(
        None,
        takes="at least 50 random characters",
        does="Signs sessions, tokens and links. Made and kept in `DF_DATA_DIR` when not given; "
        "production requires it.",
        min_length=50,
    )
    allowed_hosts: CommaList = variable(
        (),
        takes="host names separated by commas",
        does="Host names the service answers to. Loopback names always work in development; "
        "production requires it.",
    )
    trusted_proxies: CommaList = variable(
        (),
        takes="IP addresses or networks separated by commas",
        does="Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    https: Literal["on", "off"] | None = variable(
        None,
        takes="on or off",
        does="`on` (the production default) sends browsers to https, marks cookies secure and sets "
        "HSTS; turn it off only behind a network you trust.",
    )
    cors_origins: CommaList = variable(
        (),
        takes="origins such as https://app.example.org, separated by commas",
        does="Web origins that may call `/v1`. Development also admits pages served from localhost.",
    )
    allow_registration: bool = variable(
        False,
        takes="true or false",
        does="Whether `POST /v1/auth/register` lets strangers make an account.",
    )
    admin_user: str = variable(
        "admin",
        takes="a user name",
        does="Name of the administrator the first start creates.",
        min_length=1,
        max_length=150,
    )
    admin_password: SecretStr | None = variable(
        None,
        takes="a password of at least 8 characters",
        does="Password of that administrator. Without it the first start prints a one-time one.",
        min_length=8,
        max_length=4096,
    )
    access_token_ttl_s: int = variable(
        900,
        takes="seconds from 60 to 86400",
        does="Life of an access token.",
        ge=60,
        le=86_400,
    )
    refresh_token_ttl_s: int = variable(
        1_209_600,
        takes="seconds from 300 to 31536000",
        does="Life of a refresh token; each use replaces it.",
        ge=300,
        le=31_536_000,
    )
    bcrypt_rounds: int = variable(
        12,
        takes="a number from 10 to 16",
        does="Cost of a password hash (2^n rounds).",
        ge=10,
        le=16,
    )

    # Where things are kept
    database_url: SecretStr | None = variable(
        None,
        takes="sqlite:///path or postgresql://user:password@host:port/name",
        does="Database. Default: SQLite in `DF_DATA_DIR`.",
    )
    database_pool: int = variable(
        8,
        takes="a number from 1 to 100",
        does="PostgreSQL connections each process may hold.",
        ge=1,
        le=100,
    )
    broker_url: SecretStr | None = variable(
        None,
        takes="embedded, redis://…, rediss://… or amqp://…",
        does="Celery's broker. Default: `embedded`, files in `DF_DATA_DIR`.",
    )
    storage: Literal["filesystem", "s3"] = variable(
        "filesystem", takes="filesystem or s3", does="Where artifacts are kept."
    )
    s3_endpoint: str | None = variable(
        None,
        takes="an http(s) address",
        does="S3 service the servers talk to. Empty: Amazon's.",
        pattern=r"^https?://",
    )
    s3_public_endpoint: str | None = variable(
        None,
        takes="an http(s) address",
        does="The same service as clients reach it; links are signed for this address.",
        pattern=r"^https?://",
    )
    s3_access_key: SecretStr | None = variable(None, takes="an access key", does="S3 access key.")
    s3_secret_key: SecretStr | None = variable(None, takes="a secret key", does="S3 secret key.")
    s3_bucket: str | None = variable(
        None, takes="a bucket name", does="Bucket for artifacts; required by `DF_STORAGE=s3`."
    )
    s3_region: str = variable("us-east-1", takes="a region name", does="S3 region.")
    models_root: Path | None = variable(
        None,
        takes="a folder the service may write to",
        does="Where model files are kept. Default: `models` in `DF_DATA_DIR`.",
    )
    min_free_bytes: int = variable(
        1_073_741_824,
        takes="a number of bytes",
        does="`/readyz` reports not ready when the models root has less free space than this.",
        ge=0,
    )

    # Operations
    metrics_token: SecretStr | None = variable(
        None,
        takes="a token of at least 16 characters",
        does="Bearer token that opens `/metrics` to callers other than loopback.",
        min_length=16,
    )
    worker_http: str | None = variable(
        None,
        takes="host:port",
        does="Address on which each worker and the scheduler answer `/healthz` and `/metrics`. "
        "Default: none.",
        pattern=r"^.+:[0-9]{1,5}$",
    )

    # Jobs and images
    presign_ttl_s: int = variable(
        3600,
        takes="seconds from 60 to 604800",
        does="Life of an artifact link.",
        ge=60,
        le=604_800,
    )
    job_timeout_s: int = variable(
        3600, takes="seconds from 1 to 604800", does="Ceiling for one job.", ge=1, le=604_800
    )
    job_max_attempts: int = variable(
        3, takes="a number from 1 to 20", does="Starts a job gets before it is dead.", ge=1, le=20
    )
    runner: Literal["auto", "sdxl", "fake"] = variable(
        "auto", takes="auto, sdxl or fake", does="Engine that draws."
    )
    runner_keep_alive_s: int = variable(
        300,
        takes="seconds from 0 to 86400",
        does="How long a loaded model waits for the next job.",
        ge=0,
        le=86_400,
    )
    gpu_devices: CommaList = variable(
        (),
        takes="device numbers separated by commas",
        does="GPUs to use. Default: all that are found.",
    )

    # Downloads
    download_concurrency: int = variable(
        16, takes="a number from 1 to 64", does="Connections one download may open.", ge=1, le=64
    )
    download_max_rate: int = variable(
        0, takes="bytes a second, 0 for no limit", does="Cap for all downloads together.", ge=0
    )
    hf_token: SecretStr | None = variable(
        None, names=("HF_TOKEN", "DF_HF_TOKEN"), takes="a token", does="Hugging Face token."
    )
    hf_endpoint: str = variable(
        "https://huggingface.co",
        names=("HF_ENDPOINT", "DF_HF_ENDPOINT"),
        takes="an http(s) address",
        does="Hugging Face hub, or a mirror that speaks its protocol.",
        pattern=r"^https?://",
    )
    civitai_token: SecretStr | None = variable(
        None, names=("CIVITAI_TOKEN", "DF_CIVITAI_TOKEN"), takes="a token", does="CivitAI token."
    )
    civitai_endpoint: str = variable(
        "https://civitai.com",
        takes="an http(s) address",
        does="CivitAI, or a server that speaks its protocol.",
        pattern=r"^https?://",
    )

    @field_validator(
        "allowed_hosts", "trusted_proxies", "cors_origins", "gpu_devices", mode="before"
    )
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_dir", "models_root")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else Path(os.path.abspath(value.expanduser()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `read` merges the sources itself, so that one rule serves plain, dotenv and _FILE values.
        return (init_settings,)

    @property
    def in_production(self) -> bool:
        return self.env == "production"

    @property
    def auth_required(self) -> bool:
        return self.in_production if self.auth is None else self.auth == "on"

    @property
    def https_required(self) -> bool:
        return self.in_production if self.https is None else self.https == "on"

    @property
    def models_dir(self) -> Path:
        return self.models_root or self.data_dir / "models"

    @property
    def run_dir(self) -> Path:
        """Locks, process ids and metric files: nothing in it outlives the running service."""
        return self.data_dir / "run"


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
        environment = Environment(**values)
    except ValidationError as error:
        raise EnvironmentProblems(problems + _lines(error, given)) from None
    problems += _conflicts(environment)
    if problems:
        raise EnvironmentProblems(problems)
    return environment


def variable_names(field: str, info: FieldInfo) -> tuple[str, ...]:
    """The names a field is read from; the first one given wins."""
    if isinstance(info.validation_alias, AliasChoices):
        return tuple(str(choice) for choice in info.validation_alias.choices)
    return (PREFIX + field.upper(),)


def is_secret(info: FieldInfo) -> bool:
    return "SecretStr" in str(info.annotation)


def takes(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    return str(extra["takes"])


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
    from dotenv import dotenv_values

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


def _secret_names() -> Iterable[str]:
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
            f"DF_AUTH: is off while DF_HOST is {env.host!r}; set DF_AUTH=on to listen beyond loopback",
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
            env.in_production and not env.allowed_hosts,
            "DF_ALLOWED_HOSTS: got nothing, takes the host names of the service in production",
        ),
    )
    problems = [line for broken, line in rules if broken]
    return problems + _bad_networks(env) + _bad_devices(env) + _bad_urls(env)


def _bad_networks(env: Environment) -> list[str]:
    try:
        for network in env.trusted_proxies:
            ipaddress.ip_network(network, strict=False)
    except ValueError:
        return [
            f"DF_TRUSTED_PROXIES: got {network!r}, takes IP addresses or networks separated by commas"
        ]
    return []


def _bad_devices(env: Environment) -> list[str]:
    if all(device.isdecimal() for device in env.gpu_devices):
        return []
    got = ",".join(env.gpu_devices)
    return [f"DF_GPU_DEVICES: got {got!r}, takes device numbers separated by commas"]


def _bad_urls(env: Environment) -> list[str]:
    """Database and broker addresses hold passwords: an error tells what is wrong, never the value."""
    problems = []
    if env.database_url is not None:
        try:
            databases.parse(env.database_url.get_secret_value(), env.database_pool)
        except ValueError as error:
            wanted = takes(Environment.model_fields["database_url"])
            problems.append(f"DF_DATABASE_URL: {error}; takes {wanted}")
    if env.broker_url is not None:
        scheme = env.broker_url.get_secret_value().partition("://")[0]
        if scheme not in ("embedded", "redis", "rediss", "amqp", "amqps"):
            wanted = takes(Environment.model_fields["broker_url"])
            problems.append(f"DF_BROKER_URL: got scheme {scheme!r}, takes {wanted}")
    return problems
