"""The environment: every wrong value gives one readable line, and no line holds a secret."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dreamforge_site.environment import (
    DOTENV,
    Environment,
    EnvironmentProblems,
    is_loopback,
    is_secret,
    known_names,
    read,
    takes,
    variable_names,
)

pytestmark = pytest.mark.pure

KEY = "0123456789abcdef" * 4
PRODUCTION = {"DF_ENV": "production", "DF_SECRET_KEY": KEY, "DF_ALLOWED_HOSTS": "forge.example.org"}

WRONG = {
    "DF_ENV": "staging",
    "DF_DEBUG": "maybe",
    "DF_PORT": "80.5",
    "PORT": "0",
    "DF_WEB_PROCESSES": "0",
    "DF_WEB_THREADS": "many",
    "DF_LOG_LEVEL": "loud",
    "DF_LOG_FORMAT": "xml",
    "DF_AUTH": "perhaps",
    "DF_HTTPS": "yes",
    "DF_TRUSTED_PROXIES": "10.0.0.0/8, not-an-address",
    "DF_ALLOW_REGISTRATION": "2",
    "DF_ADMIN_USER": "a b!",
    "DF_ACCESS_TOKEN_TTL_S": "59",
    "DF_REFRESH_TOKEN_TTL_S": "forever",
    "DF_BCRYPT_ROUNDS": "4",
    "DF_DATABASE_POOL": "-1",
    "DF_STORAGE": "ftp",
    "DF_S3_ENDPOINT": "minio:9000",
    "DF_MIN_FREE_BYTES": "1GB",
    "DF_WORKER_HTTP": "nowhere",
    "DF_PRESIGN_TTL_S": "1",
    "DF_JOB_TIMEOUT_S": "0",
    "DF_JOB_MAX_ATTEMPTS": "21",
    "DF_RUNNER": "dalle",
    "DF_RUNNER_KEEP_ALIVE_S": "NaN",
    "DF_GPU_DEVICES": "0,cuda:1",
    "DF_DOWNLOAD_CONCURRENCY": "65",
    "DF_DOWNLOAD_MAX_RATE": "-5",
    "HF_ENDPOINT": "ftp://mirror.example.org",
    "DF_CIVITAI_ENDPOINT": "civitai.com",
}
# Names a row of WRONG stands for already, with more that must not pass.
ALSO_WRONG = [
    ("DF_ADMIN_USER", "x" * 151),
    ("DF_ADMIN_USER", "a\u202eb"),
    ("DF_ALLOWED_HOSTS", "http://x,y z"),
    ("DF_ALLOWED_HOSTS", "forge.example.org:8000"),
    ("DF_ALLOWED_HOSTS", "*.example.org"),
    ("DF_CORS_ORIGINS", "example.org"),
    ("DF_CORS_ORIGINS", "https://example.org/"),
    ("DF_CORS_ORIGINS", "https://*.example.org"),
    ("DF_CORS_ORIGINS", "https://example.org:port"),
    ("DF_WORKER_HTTP", "a:99999"),
    ("DF_WORKER_HTTP", "a:0"),
    ("DF_WORKER_HTTP", ":9100"),
    ("DF_WORKER_HTTP", "http://a:9100"),
    ("DF_S3_ENDPOINT", "http://"),
    ("DF_S3_ENDPOINT", "http://minio:port"),
    ("DF_S3_PUBLIC_ENDPOINT", "https://minio bucket"),
    ("HF_ENDPOINT", "https://"),
    ("DF_HF_ENDPOINT", "https://:443"),
    ("DF_CIVITAI_ENDPOINT", "https://civitai.com/?token=x"),
    ("DF_CIVITAI_ENDPOINT", "https://[civitai.com"),
]
RIGHT = [
    ("DF_ADMIN_USER", "ölaf.b+c@d-e_f"),
    ("DF_ALLOWED_HOSTS", "forge.example.org,.example.com,10.0.0.5,[2001:db8::1],my_host,*"),
    ("DF_CORS_ORIGINS", "https://app.example.org,http://localhost:3000,http://[::1]:3000"),
    ("DF_WORKER_HTTP", "0.0.0.0:9100"),
    ("DF_WORKER_HTTP", "[::1]:9100"),
    ("DF_S3_ENDPOINT", "http://minio:9000"),
    ("HF_ENDPOINT", "https://mirror.example.org/hf/"),
    ("DF_BROKER_URL", "amqp://one:5672//;amqp://two:5672//"),
    ("DF_BROKER_URL", "redis://:p%2Fss@host:6379/0"),
]
WRONG_SECRETS = {
    "DF_SECRET_KEY": "too-short-canary",
    "DF_ADMIN_PASSWORD": "canary",
    "DF_METRICS_TOKEN": "short-canary",
    "DF_DATABASE_URL": "mysql://user:canary@host/name",
    "DF_BROKER_URL": "http://user:canary@host",
}
WRONG_ADDRESSES = [
    ("DF_DATABASE_URL", "postgresql://forge:canary/1@host/name"),
    ("DF_DATABASE_URL", "postgresql://forge:12/canary@host/name"),
    ("DF_DATABASE_URL", "postgresql://forge:canary#1@host/name"),
    ("DF_DATABASE_URL", "postgresql://forge:canary\uff0f@host/name"),
    ("DF_DATABASE_URL", "postgresql://forge:[canary@host/name"),
    ("DF_DATABASE_URL", "canary"),
    ("DF_BROKER_URL", "canary"),
    ("DF_BROKER_URL", "canary://host"),
    ("DF_BROKER_URL", "redis://:canary/1@host"),
    ("DF_BROKER_URL", "redis://:canary\uff0f@host"),
    ("DF_BROKER_URL", "amqp://one;canary://two"),
]


def problems(variables: dict[str, str], base_dir: Path) -> list[str]:
    with pytest.raises(EnvironmentProblems) as caught:
        read(variables, base_dir)
    return caught.value.lines


@pytest.mark.parametrize(("name", "value"), [*WRONG.items(), *ALSO_WRONG])
def test_a_wrong_value_gives_one_line_with_the_name_the_value_and_what_is_taken(
    name: str, value: str, tmp_path: Path
) -> None:
    (line,) = problems({name: value}, tmp_path)
    assert re.fullmatch(rf"{name}: got '.+', takes .+", line)
    assert repr(value) in line


SHOWN = ("HF_ENDPOINT", "DF_CIVITAI_ENDPOINT", "DF_S3_ENDPOINT", "DF_CORS_ORIGINS")


@pytest.mark.parametrize("name", SHOWN)
def test_a_password_in_an_address_that_is_shown_is_refused_and_not_repeated(
    name: str, tmp_path: Path
) -> None:
    (line,) = problems({name: "https://me:canary@hub.example.org"}, tmp_path)
    assert line.startswith(f"{name}: got 'https://…@hub.example.org', takes ")


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_right_value_of_any_form_is_taken(name: str, value: str, tmp_path: Path) -> None:
    assert read({name: value}, tmp_path).model_fields_set


@pytest.mark.parametrize(("name", "value"), [*WRONG_SECRETS.items(), *WRONG_ADDRESSES])
def test_a_wrong_secret_is_refused_without_being_shown(
    name: str, value: str, tmp_path: Path
) -> None:
    (line,) = problems({name: value}, tmp_path)
    assert line.startswith(f"{name}: ")
    assert "takes" in line
    assert "canary" not in line
    assert len(line) < 200


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    lines = problems({"DF_PORT": "x", "DF_RUNNER": "x", "DF_TYPO": "x"}, tmp_path)
    assert sorted(line.partition(":")[0] for line in lines) == ["DF_PORT", "DF_RUNNER", "DF_TYPO"]


def test_a_misspelled_name_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    (line,) = problems({"DF_STORAG": "s3"}, tmp_path)
    assert line == "DF_STORAG: is not a variable of Dream Forge; did you mean DF_STORAGE?"


def test_a_name_like_no_other_points_to_the_documentation(tmp_path: Path) -> None:
    (line,) = problems({"DF_QQQQQQQQ": "1"}, tmp_path)
    assert line.endswith("see docs/configuration.md")


def test_names_of_others_are_left_alone(tmp_path: Path) -> None:
    assert read({"PATH": "/bin", "DREAMFORGE_REQUEST_ID": "x"}, tmp_path).port == 8000


def test_an_empty_value_counts_as_not_given(tmp_path: Path) -> None:
    assert read({"DF_PORT": "", "DF_RUNNER": "  "}, tmp_path).port == 8000


def test_the_first_of_two_names_wins(tmp_path: Path) -> None:
    assert read({"DF_PORT": "8001", "PORT": "8002"}, tmp_path).port == 8001
    assert read({"PORT": "8002"}, tmp_path).port == 8002


def test_lists_are_split_at_commas_and_trimmed(tmp_path: Path) -> None:
    assert read({"DF_GPU_DEVICES": " 0, 1 ,"}, tmp_path).gpu_devices == ("0", "1")


def test_folders_become_absolute(tmp_path: Path) -> None:
    found = read({"DF_DATA_DIR": "some/where", "DF_MODELS_ROOT": "~/models"}, tmp_path)
    assert found.data_dir == Path.cwd() / "some" / "where"
    assert found.models_dir == Path.home() / "models"


def test_models_lie_in_the_data_folder_by_default(tmp_path: Path) -> None:
    assert read({"DF_DATA_DIR": str(tmp_path)}, tmp_path).models_dir == tmp_path / "models"


# Secrets from files


def test_a_secret_is_read_from_the_file_its_variable_names(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("hf_from_a_file\n")
    found = read({"HF_TOKEN_FILE": str(secret)}, tmp_path)
    assert found.hf_token is not None
    assert found.hf_token.get_secret_value() == "hf_from_a_file"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("canary-one")
    (line,) = problems({"HF_TOKEN": "canary-two", "HF_TOKEN_FILE": str(secret)}, tmp_path)
    assert line == "HF_TOKEN: given together with HF_TOKEN_FILE; keep one of the two"


@pytest.mark.parametrize(
    ("path", "reason"), [("absent", "No such file or directory"), (".", "Is a directory")]
)
def test_an_unreadable_secret_file_is_told(path: str, reason: str, tmp_path: Path) -> None:
    given = str(tmp_path / path)
    (line,) = problems({"DF_SECRET_KEY_FILE": given}, tmp_path)
    assert line == f"DF_SECRET_KEY_FILE: cannot read {given!r}: {reason}"


def test_a_secret_file_that_would_be_waited_for_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    given = str(tmp_path / "pipe")
    (line,) = problems({"HF_TOKEN_FILE": given}, tmp_path)
    assert line == f"HF_TOKEN_FILE: cannot read {given!r}: not a file"


def test_a_secret_file_without_end_is_told(tmp_path: Path) -> None:
    (line,) = problems({"HF_TOKEN_FILE": "/dev/zero"}, tmp_path)
    assert line == "HF_TOKEN_FILE: cannot read '/dev/zero': not a file"
    large = tmp_path / "large"
    large.write_bytes(b"x" * 65_537)
    (line,) = problems({"HF_TOKEN_FILE": str(large)}, tmp_path)
    assert line == f"HF_TOKEN_FILE: cannot read {str(large)!r}: more than 64 KiB"


@pytest.mark.parametrize(
    "proxies",
    [
        "0.0.0.0/0",
        "::/0",
        "10.0.0.1,0.0.0.0/1",
        "2000::/3",
        "2000::/7",
        "2002::/16",
        "::/8",
        "::/64",
        "::ffff:0:0/96",
        "::ffff:0:0/103",
    ],
)
def test_a_network_of_everybody_is_no_proxy(proxies: str, tmp_path: Path) -> None:
    (line,) = problems({"DF_TRUSTED_PROXIES": proxies}, tmp_path)
    assert line.startswith(f"DF_TRUSTED_PROXIES: got {proxies!r}, takes IP addresses or networks")


def test_the_networks_of_a_site_may_be_proxies(tmp_path: Path) -> None:
    given = "127.0.0.1,10.0.0.0/8,fc00::/7,fe80::/10,::ffff:10.0.0.0/104,2001:db8::/32,::1"
    assert len(read({"DF_TRUSTED_PROXIES": given}, tmp_path).trusted_proxies) == 7


@pytest.mark.parametrize("proxies", ["10.0.0.1/8", "192.0.2.7/24", "fd00::1/64"])
def test_a_proxy_with_bits_beside_its_network_is_refused(proxies: str, tmp_path: Path) -> None:
    """The server would take it for a name, and believe no proxy."""
    (line,) = problems({"DF_TRUSTED_PROXIES": proxies}, tmp_path)
    assert line.startswith(f"DF_TRUSTED_PROXIES: got {proxies!r}, takes IP addresses or networks")
    assert "10.0.0.0/8" in line


def test_a_secret_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_bytes(b"\xff\xfe\x00")
    (line,) = problems({"DF_SECRET_KEY_FILE": str(secret)}, tmp_path)
    assert line.endswith("not UTF-8 text")


def test_a_wrong_secret_from_a_file_is_refused_without_being_shown(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("canary")
    (line,) = problems({"DF_SECRET_KEY_FILE": str(secret)}, tmp_path)
    assert line == "DF_SECRET_KEY: got a value, takes at least 50 random characters"


def test_only_secrets_can_be_given_as_files() -> None:
    fields = Environment.model_fields.items()
    of_files = {n.removesuffix("_FILE") for n in known_names() if n.endswith("_FILE")}
    secret = {n for field, info in fields if is_secret(info) for n in variable_names(field, info)}
    assert of_files == secret


# .env


def test_dotenv_is_read_in_development_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DF_PORT=9001\nDF_RUNNER=fake\n")
    found = read({"DF_PORT": "9002"}, tmp_path)
    assert (found.port, found.runner) == (9002, "fake")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("DF_PORT=9001", "PORT"),
        ("PORT=9001", "DF_PORT"),
        ("DF_PORT=many", "PORT"),
    ],
)
def test_the_environment_wins_over_dotenv_under_every_name_of_a_setting(
    line: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"{line}\n")
    assert read({name: "8123"}, tmp_path).port == 8123


@pytest.mark.parametrize("line", ["HF_TOKEN=canary", "DF_HF_TOKEN=canary", "HF_TOKEN_FILE=absent"])
@pytest.mark.parametrize("name", ["HF_TOKEN", "DF_HF_TOKEN", "DF_HF_TOKEN_FILE"])
def test_a_secret_of_the_environment_wins_over_dotenv_whatever_its_form(
    line: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"{line}\n")
    (tmp_path / "token").write_text("given")
    value = str(tmp_path / "token") if name.endswith("_FILE") else "given"
    found = read({name: value}, tmp_path).hf_token
    assert found is not None
    assert found.get_secret_value() == "given"


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_leaves_the_line_in_dotenv_alone(empty: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DF_PORT=9001\nHF_TOKEN=given\n")
    found = read({"DF_PORT": empty, "HF_TOKEN_FILE": empty}, tmp_path)
    assert found.port == 9001
    assert found.hf_token is not None


def test_another_file_can_stand_in_for_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DF_PORT=9001\n")
    (tmp_path / "other").write_text("DF_PORT=9002\n")
    assert read({DOTENV: str(tmp_path / "other")}, tmp_path).port == 9002
    assert read({DOTENV: os.devnull}, tmp_path).port == 8000


def test_dotenv_is_not_read_in_production(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DF_PORT=9001\n")
    assert read(PRODUCTION, tmp_path).port == 8000


def test_a_wrong_line_in_dotenv_stops_the_start_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DF_PROT=9001\n")
    (line,) = problems({}, tmp_path)
    assert line.endswith("did you mean DF_PORT?")


# Values that are wrong together


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"DF_SECRET_KEY": ""}, "DF_SECRET_KEY: got nothing, takes at least 50 random characters"),
        ({"DF_SECRET_KEY": "kX9" * 20}, "DF_SECRET_KEY: got a value that is easy to guess"),
        ({"DF_SECRET_KEY": f"django-insecure-{KEY}"}, "DF_SECRET_KEY: got a value that is easy"),
        ({"DF_DEBUG": "true"}, "DF_DEBUG: got 'true', takes false in production"),
        ({"DF_AUTH": "off"}, "DF_AUTH: got 'off', takes on in production"),
        ({"DF_ALLOWED_HOSTS": ""}, "DF_ALLOWED_HOSTS: got nothing, takes the host names"),
    ],
)
def test_production_refuses_what_only_development_may_do(
    change: dict[str, str], line: str, tmp_path: Path
) -> None:
    (told,) = problems({**PRODUCTION, **change}, tmp_path)
    assert told.startswith(line)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "forge.example.org"])
def test_open_authentication_is_refused_beyond_loopback(host: str, tmp_path: Path) -> None:
    (line,) = problems({"DF_HOST": host}, tmp_path)
    assert line.startswith("DF_AUTH: is off while DF_HOST is")
    assert read({"DF_HOST": host, "DF_AUTH": "on"}, tmp_path).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_open_authentication_is_fine_on_loopback(host: str, tmp_path: Path) -> None:
    assert not read({"DF_HOST": host}, tmp_path).auth_required


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("::ffff:127.0.0.1", True),
        ("[::1]", True),
        ("::ffff:10.0.0.5", False),
        ("10.0.0.5", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_loopback_is_known_in_every_spelling(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_production_requires_login_and_https_unless_told(tmp_path: Path) -> None:
    found = read(PRODUCTION, tmp_path)
    assert (found.auth_required, found.https_required) == (True, True)
    assert not read({**PRODUCTION, "DF_HTTPS": "off"}, tmp_path).https_required


def test_s3_needs_a_bucket_and_both_keys(tmp_path: Path) -> None:
    assert problems({"DF_STORAGE": "s3"}, tmp_path) == [
        "DF_S3_BUCKET: got nothing, takes a bucket name when DF_STORAGE=s3"
    ]
    (line,) = problems({"DF_S3_ACCESS_KEY": "canary"}, tmp_path)
    assert line.startswith("DF_S3_ACCESS_KEY: and DF_S3_SECRET_KEY are given together")


def test_the_parsed_environment_shows_no_secret(tmp_path: Path) -> None:
    found = read({"DF_SECRET_KEY": "canary" * 10, "HF_TOKEN": "canary"}, tmp_path)
    assert "canary" not in repr(found)
    assert "canary" not in found.model_dump_json()


def test_every_variable_says_what_it_takes_and_does() -> None:
    silent = [
        field
        for field, info in Environment.model_fields.items()
        if not takes(info) or not info.description
    ]
    assert silent == []
