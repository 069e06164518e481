"""The table of every environment variable, and the value it is parsed into."""

from __future__ import annotations

import functools
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dreamforge_site.environment import rules

BASE_DIR = Path(__file__).resolve().parent.parent.parent
PREFIX = "DF_"
PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
)

CommaList = Annotated[tuple[str, ...], NoDecode]


def variable(
    default: Any, *, group: str, takes: str, does: str, names: tuple[str, ...] = (), **bounds: Any
) -> Any:
    """A row: `takes` completes an error line, `does` and `group` are for the documentation."""
    return Field(
        default,
        validation_alias=AliasChoices(*names) if names else None,
        description=does,
        json_schema_extra={"takes": takes, "group": group},
        **bounds,
    )


running = functools.partial(variable, group="How the service runs")
access = functools.partial(variable, group="Who may call")
keeping = functools.partial(variable, group="Where things are kept")
operations = functools.partial(variable, group="Operations")
images = functools.partial(variable, group="Jobs and images")
downloads = functools.partial(variable, group="Downloads")


class Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    env: Literal["development", "production"] = running(
        "development",
        takes="development or production",
        does="Production refuses a generated secret key, debug mode and open authentication.",
    )
    debug: bool = running(
        False, takes="true or false", does="Django's debug pages, for work on Dream Forge itself."
    )
    data_dir: Path = running(
        BASE_DIR / "data",
        takes="a folder the service may write to",
        does="Everything the embedded default keeps: database, artifacts, models, broker, keys.",
    )
    host: str = running(
        "127.0.0.1",
        takes="an IP address or host name to listen on",
        does="Address the web server listens on. Anything but loopback needs `DF_AUTH=on`.",
    )
    port: int = running(
        8000,
        names=("DF_PORT", "PORT"),
        takes="a port number from 1 to 65535",
        does="Port the web server listens on.",
        ge=1,
        le=65535,
    )
    web_processes: int = running(
        1, takes="a number from 1 to 64", does="Web server processes.", ge=1, le=64
    )
    web_threads: int = running(
        4,
        takes="a number from 1 to 64",
        does="Threads that run Django in each web process; streams need none.",
        ge=1,
        le=64,
    )
    log_level: Literal["debug", "info", "warning", "error"] = running(
        "info", takes="debug, info, warning or error", does="Least severe log line that is written."
    )
    log_format: Literal["auto", "json", "text"] = running(
        "auto",
        takes="auto, json or text",
        does="`auto` writes text to a terminal and one JSON object a line elsewhere.",
    )

    auth: Literal["on", "off"] | None = access(
        None,
        takes="on or off",
        does="`off` (the development default) makes every caller the user `default`; it is refused "
        "unless the server listens on loopback only. Production is always `on`.",
    )
    secret_key: SecretStr | None = access(
        None,
        takes="at least 50 random characters",
        does="Signs sessions, tokens and links. Made and kept in `DF_DATA_DIR` when not given; "
        "production requires it.",
        min_length=50,
    )
    allowed_hosts: CommaList = access(
        (),
        takes="host names separated by commas",
        does="Host names the service answers to. Loopback names always work in development; "
        "production requires it.",
    )
    trusted_proxies: CommaList = access(
        (),
        takes="IP addresses or networks (no bits of a host: `10.0.0.0/8`, not `10.0.0.1/8`) "
        "separated by commas, of at most the size of a /8, of IPv6 a /20 or `fc00::/7`",
        does="Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    https: Literal["on", "off"] | None = access(
        None,
        takes="on or off",
        does="`on` (the production default) sends browsers to https, marks cookies secure and sets "
        "HSTS; turn it off only behind a network you trust.",
    )
    cors_origins: CommaList = access(
        (),
        takes="origins such as https://app.example.org, separated by commas",
        does="Web origins that may call `/v1`. Development also admits localhost.",
    )
    allow_registration: bool = access(
        False,
        takes="true or false",
        does="Whether `POST /v1/auth/register` lets strangers make an account.",
    )
    admin_user: str = access(
        "admin",
        takes="a user name: up to 150 letters, digits and @ . + - _",
        does="Name of the administrator the first start creates.",
    )
    admin_password: SecretStr | None = access(
        None,
        takes="a password of at least 8 characters",
        does="Password of that administrator. Else the first start makes one and prints it, once.",
        min_length=8,
        max_length=4096,
    )
    access_token_ttl_s: int = access(
        900,
        takes="seconds from 60 to 86400",
        does="Life of an access token.",
        ge=60,
        le=86_400,
    )
    refresh_token_ttl_s: int = access(
        1_209_600,
        takes="seconds from 300 to 31536000",
        does="Life of a refresh token; each use replaces it.",
        ge=300,
        le=31_536_000,
    )
    bcrypt_rounds: int = access(
        12,
        takes="a number from 10 to 16",
        does="Cost of a password hash (2^n rounds).",
        ge=10,
        le=16,
    )

    database_url: SecretStr | None = keeping(
        None,
        takes="sqlite:///path or postgresql://user:password@host:port/name",
        does="Database. Default: SQLite in `DF_DATA_DIR`.",
    )
    database_pool: int = keeping(
        8,
        takes="a number from 1 to 100",
        does="PostgreSQL connections each process may hold.",
        ge=1,
        le=100,
    )
    broker_url: SecretStr | None = keeping(
        None,
        takes="embedded, redis://…, rediss://… or amqp://…",
        does="Celery's broker. Default: `embedded`, files in `DF_DATA_DIR`.",
    )
    storage: Literal["filesystem", "s3"] = keeping(
        "filesystem", takes="filesystem or s3", does="Where artifacts are kept."
    )
    s3_endpoint: str | None = keeping(
        None,
        takes="an http(s) address",
        does="S3 service the servers talk to. Empty: Amazon's.",
    )
    s3_public_endpoint: str | None = keeping(
        None,
        takes="an http(s) address",
        does="The same service as clients reach it; links are signed for this address.",
    )
    s3_access_key: SecretStr | None = keeping(None, takes="an access key", does="S3 access key.")
    s3_secret_key: SecretStr | None = keeping(None, takes="a secret key", does="S3 secret key.")
    s3_bucket: str | None = keeping(
        None, takes="a bucket name", does="Bucket for artifacts; required by `DF_STORAGE=s3`."
    )
    s3_region: str = keeping("us-east-1", takes="a region name", does="S3 region.")
    models_root: Path | None = keeping(
        None,
        takes="a folder the service may write to",
        does="Where model files are kept. Default: `models` in `DF_DATA_DIR`.",
    )
    min_free_bytes: int = keeping(
        1_073_741_824,
        takes="a number of bytes",
        does="`/readyz` reports not ready when the models root has less free space than this.",
        ge=0,
    )

    metrics_token: SecretStr | None = operations(
        None,
        takes="a token of at least 16 characters",
        does="Bearer token that opens `/metrics` to callers other than loopback.",
        min_length=16,
    )
    worker_http: str | None = operations(
        None,
        takes="host:port",
        does="Address on which each worker and the scheduler answer `/healthz` and `/metrics`. "
        "Default: none.",
    )

    presign_ttl_s: int = images(
        3600,
        takes="seconds from 60 to 604800",
        does="Life of an artifact link, and the longest that `?ttl=` may ask for is a week.",
        ge=60,
        le=604_800,
    )
    job_timeout_s: int = images(
        3600, takes="seconds from 1 to 604800", does="Ceiling for one job.", ge=1, le=604_800
    )
    job_max_attempts: int = images(
        3, takes="a number from 1 to 20", does="Starts a job gets before it is dead.", ge=1, le=20
    )
    job_max_queued: int = images(
        10_000,
        takes="a number from 0 to 1000000, 0 for no limit",
        does="Jobs one user may have waiting; more are answered 429.",
        ge=0,
        le=1_000_000,
    )
    idempotency_ttl_s: int = images(
        86_400,
        takes="seconds from 60 to 2592000",
        does="How long an `Idempotency-Key` is remembered.",
        ge=60,
        le=2_592_000,
    )
    retention_jobs_days: int = images(
        90,
        takes="days from 0 to 36500, 0 for ever",
        does="How long ended jobs are kept, with their events and artifacts.",
        ge=0,
        le=36_500,
    )
    retention_jobs_count: int = images(
        0,
        takes="a number from 0 to 100000000, 0 for no limit",
        does="How many ended jobs are kept; the oldest go first.",
        ge=0,
        le=100_000_000,
    )
    retention_artifacts_days: int = images(
        0,
        takes="days from 0 to 36500, 0 for as long as their jobs",
        does="How long images are kept; their jobs may stay longer.",
        ge=0,
        le=36_500,
    )
    retention_artifacts_count: int = images(
        0,
        takes="a number from 0 to 100000000, 0 for no limit",
        does="How many images are kept, the newest.",
        ge=0,
        le=100_000_000,
    )
    retention_events_days: int = images(
        14,
        takes="days from 0 to 36500, 0 for ever",
        does="How long the progress lines of ended jobs are kept.",
        ge=0,
        le=36_500,
    )
    retention_webhooks_days: int = images(
        30,
        takes="days from 0 to 36500, 0 for ever",
        does="How long the log of webhook deliveries is kept.",
        ge=0,
        le=36_500,
    )
    webhook_allow_private: CommaList = images(
        (),
        takes="off, on, or networks such as 10.0.0.0/8 separated by commas",
        does="Whether webhooks may call private addresses. `on` opens loopback and the private "
        "networks of IPv4 and IPv6, never link-local ones; a list opens these networks.",
    )
    runner: Literal["auto", "sdxl", "fake"] = images(
        "auto",
        takes="auto, sdxl or fake",
        does="Engine that draws. `auto` takes `sdxl` where a GPU and its packages are, else "
        "`fake`, which pretends and says so.",
    )
    runner_keep_alive_s: int = images(
        300,
        takes="seconds from 0 to 86400",
        does="How long a loaded model waits for the next job.",
        ge=0,
        le=86_400,
    )
    gpu_devices: CommaList = images(
        (),
        takes="device numbers separated by commas",
        does="GPUs to use. Default: all that are found.",
    )
    batch_parallel: int | None = images(
        None,
        takes="a number from 1 to 16",
        does="Images of one job that are drawn in one pass. Default: as the preset says.",
        ge=1,
        le=16,
    )
    item_timeout_s: int = images(
        600, takes="seconds from 1 to 86400", does="Ceiling for one image.", ge=1, le=86_400
    )

    download_concurrency: int = downloads(
        32,
        takes="a number from 1 to 64",
        does="Connections one download may open; as many as help are used.",
        ge=1,
        le=64,
    )
    download_max_rate: int = downloads(
        0,
        takes="bytes a second, 0 for no limit",
        does="Cap for all downloads of one worker together.",
        ge=0,
    )
    download_sources: CommaList = downloads(
        ("hf", "civitai"),
        takes="scheme names separated by commas, such as hf, civitai, file, https",
        does="Where models may come from. `file` needs `DF_DOWNLOAD_FILE_ROOTS`; `https` takes any "
        "public address; other names are those of installed plug-ins.",
    )
    download_file_roots: CommaList = downloads(
        (),
        takes="absolute folders separated by commas",
        does="Folders below which `file:` references may point.",
    )
    download_allow_pickle: bool = downloads(
        False,
        takes="true or false",
        does="Whether `.ckpt`, `.pt`, `.bin` and other pickle files may be installed. Loading one "
        "runs whatever code its author put in.",
    )
    hub_pull_through: bool = downloads(
        False,
        takes="true or false, on or off",
        does="Whether `/hf/` fetches what is not here when somebody who may download asks for it.",
    )
    sendfile_prefix: str = downloads(
        "",
        takes="a path such as `/protected/`, or nothing",
        does="Where a front server serves `DF_MODELS_ROOT` for `X-Accel-Redirect`; `/hf/` then "
        "leaves sending files to it.",
    )
    hub_watch_hours: int = downloads(
        24,
        takes="hours from 0 to 8760, 0 for never",
        does="How often tracked branches are asked for news. Nothing is fetched but for "
        "repositories with `auto_sync`.",
        ge=0,
        le=8760,
    )
    scrub_rate: int = downloads(
        0,
        takes="bytes a second, 0 for never",
        does="How fast stored files are read again in the background, the longest unread first, "
        "to find damage.",
        ge=0,
    )
    hf_token: SecretStr | None = downloads(
        None,
        names=("HF_TOKEN", "DF_HF_TOKEN"),
        takes="a token",
        does="Hugging Face token, sent to `HF_ENDPOINT` only.",
    )
    hf_endpoint: str = downloads(
        "https://huggingface.co",
        names=("HF_ENDPOINT", "DF_HF_ENDPOINT"),
        takes="an http(s) address",
        does="Hugging Face hub, or a mirror that speaks its protocol.",
    )
    civitai_token: SecretStr | None = downloads(
        None,
        names=("CIVITAI_TOKEN", "DF_CIVITAI_TOKEN"),
        takes="a token",
        does="CivitAI token, sent to `DF_CIVITAI_ENDPOINT` only.",
    )
    civitai_endpoint: str = downloads(
        "https://civitai.com",
        takes="an http(s) address",
        does="CivitAI, or a server that speaks its protocol.",
    )

    @field_validator(
        "allowed_hosts",
        "trusted_proxies",
        "cors_origins",
        "gpu_devices",
        "webhook_allow_private",
        "download_sources",
        "download_file_roots",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator(*rules.RULES)
    @classmethod
    def _in_form(cls, value: Any, info: ValidationInfo) -> Any:
        rules.check(str(info.field_name), value)
        return value

    @field_validator("data_dir", "models_root")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        # Not resolve(): a link the operator made is the path the operator wants to see.
        return None if value is None else Path.cwd() / value.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `reading` merges the sources itself: one rule for plain, dotenv and _FILE values.
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
    def webhook_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        words: dict[str, tuple[str, ...]] = {"off": (), "on": PRIVATE_NETWORKS}
        texts = [text for word in self.webhook_allow_private for text in words.get(word, (word,))]
        return tuple(ip_network(text, strict=False) for text in texts)

    @property
    def run_dir(self) -> Path:
        """Locks, process ids and metric files: nothing in it outlives the running service."""
        return self.data_dir / "run"


def variable_names(field: str, info: FieldInfo) -> tuple[str, ...]:
    """The names a field is read from; the first one given wins."""
    if isinstance(info.validation_alias, AliasChoices):
        return tuple(str(choice) for choice in info.validation_alias.choices)
    return (PREFIX + field.upper(),)


def is_secret(info: FieldInfo) -> bool:
    return "SecretStr" in str(info.annotation)


def takes(info: FieldInfo) -> str:
    return _note(info, "takes")


def group(info: FieldInfo) -> str:
    return _note(info, "group")


def _note(info: FieldInfo, key: str) -> str:
    notes = info.json_schema_extra
    if not isinstance(notes, dict):
        raise TypeError("every variable is declared through variable()")
    return str(notes[key])
