"""The environment: every wrong value gives one readable line, and no line holds a secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dreamforge_site.environment import (
    Environment,
    EnvironmentProblems,
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
    "DF_ADMIN_USER": "x" * 151,
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
WRONG_SECRETS = {
    "DF_SECRET_KEY": "too-short-canary",
    "DF_ADMIN_PASSWORD": "canary",
    "DF_METRICS_TOKEN": "short-canary",
    "DF_DATABASE_URL": "mysql://user:canary@host/name",
    "DF_BROKER_URL": "http://user:canary@host",
}


def problems(variables: dict[str, str], base_dir: Path) -> list[str]:
    with pytest.raises(EnvironmentProblems) as caught:
        read(variables, base_dir)
    return caught.value.lines


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_a_wrong_value_gives_one_line_with_the_name_the_value_and_what_is_taken(
    name: str, value: str, tmp_path: Path
) -> None:
    (line,) = problems({name: value}, tmp_path)
    assert re.fullmatch(rf"{name}: got '.+', takes .+", line)
    assert value.rpartition(", ")[2] in line


@pytest.mark.parametrize(("name", "value"), WRONG_SECRETS.items())
def test_a_wrong_secret_is_refused_without_being_shown(
    name: str, value: str, tmp_path: Path
) -> None:
    (line,) = problems({name: value}, tmp_path)
    assert line.startswith(f"{name}: ")
    assert "takes" in line
    assert "canary" not in line


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
