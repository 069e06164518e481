"""docker-compose.yml and compose.cpu.yml: what the specification says of them, and what we do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from compose_spec import PyCompose

from dreamforge_site.environment import BASE_DIR, known_names
from tests.deploy import compose

pytestmark = pytest.mark.pure

STACKS = {"gpu": (compose.BASE,), "cpu": (compose.BASE, compose.CPU)}
ONE_SHOTS = {"migrate", "create-bucket"}
OURS = {"migrate", "create-bucket", "api", "worker-io", "worker-gpu", "scheduler"}
SERVICES = OURS | {"postgres", "redis", "minio"}
LONG_RUNNING = SERVICES - ONE_SHOTS


def services(*names: str) -> dict[str, Any]:
    found = compose.load(*names, variables=compose.VARIABLES)["services"]
    assert isinstance(found, dict)
    return found


BASE_SERVICES = services(compose.BASE)
every_service = pytest.mark.parametrize("name", sorted(SERVICES))


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_the_files_follow_the_compose_specification(stack: str) -> None:
    document = compose.load(*STACKS[stack], variables=compose.VARIABLES)
    PyCompose.from_json(json.dumps(document))
    assert set(document["services"]) == SERVICES


def test_a_misspelt_key_would_be_noticed() -> None:
    document = compose.load(compose.BASE, variables=compose.VARIABLES)
    document["services"]["api"]["helthcheck"] = document["services"]["api"].pop("healthcheck")
    with pytest.raises(Exception, match="helthcheck"):
        PyCompose.from_json(json.dumps(document))


@pytest.mark.parametrize("missing", sorted(compose.VARIABLES))
def test_a_missing_value_stops_the_start_by_name(missing: str) -> None:
    rest = {name: value for name, value in compose.VARIABLES.items() if name != missing}
    with pytest.raises(compose.MissingVariableError, match=missing):
        compose.load(compose.BASE, variables=rest)


@every_service
def test_the_image_is_pinned(name: str) -> None:
    tag = BASE_SERVICES[name]["image"].rpartition(":")[2]
    assert re.match(r"\d", tag), tag


@every_service
def test_nobody_runs_as_root(name: str) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", BASE_SERVICES[name]["user"])


@every_service
def test_the_container_is_locked_down(name: str) -> None:
    service = BASE_SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(LONG_RUNNING))
def test_what_runs_on_is_watched_and_restarted(name: str) -> None:
    service = BASE_SERVICES[name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["restart"] == "unless-stopped"


@every_service
def test_what_it_waits_for_can_be_waited_for(name: str) -> None:
    waits = BASE_SERVICES[name].get("depends_on", {})
    healthy = {other for other, how in waits.items() if how["condition"] == "service_healthy"}
    done = set(waits) - healthy
    assert healthy <= LONG_RUNNING
    assert done <= ONE_SHOTS


@every_service
def test_its_named_volumes_and_networks_are_declared(name: str) -> None:
    document = compose.load(compose.BASE, variables=compose.VARIABLES)
    service = document["services"][name]
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(
        document["volumes"]
    )
    assert set(service["networks"]) <= set(document["networks"])


def test_ports_are_published_on_this_machine_only() -> None:
    ports = [port for service in BASE_SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8000:8000", "127.0.0.1:9000:9000"]


def test_the_stores_have_no_way_out() -> None:
    document = compose.load(compose.BASE, variables=compose.VARIABLES)
    assert document["networks"]["inside"]["internal"] is True
    assert [BASE_SERVICES[name]["networks"] for name in ("postgres", "redis")] == [["inside"]] * 2


@pytest.mark.parametrize("file", [compose.BASE, compose.CPU])
def test_no_secret_stands_in_the_file(file: str) -> None:
    """Whatever is called a password or a key is a reference, to be filled from .env."""
    pattern = r"^\s*\w*(?:PASSWORD|SECRET|ACCESS_KEY|TOKEN|AUTH)\w*:\s*(.+)$"
    values = re.findall(pattern, compose.raw(file), re.MULTILINE)
    assert [value for value in values if not re.match(r"\$\{\w+:\?.+\}$", value)] == []


def test_the_secrets_are_found_by_that_rule() -> None:
    assert len(re.findall(r":\?", compose.raw(compose.BASE))) >= len(compose.VARIABLES)


def test_redis_gets_its_password_by_a_file_not_by_its_command_line() -> None:
    *_, line = BASE_SERVICES["redis"]["command"]
    before, _, command_line = line.partition("exec redis-server")
    assert '"$REDISCLI_AUTH" > /tmp/redis.conf' in before
    assert command_line.startswith(" /tmp/redis.conf ")
    assert "$" not in command_line


@pytest.mark.parametrize("file", [compose.BASE, compose.CPU])
def test_every_variable_of_ours_exists(file: str) -> None:
    named = set(re.findall(r"\bDF_[A-Z0-9_]+", compose.raw(file)))
    assert named
    assert named <= known_names()


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_dockerfile_is_there(name: str) -> None:
    assert (BASE_DIR / BASE_SERVICES[name]["build"]["dockerfile"]).is_file()


def test_only_the_gpu_worker_asks_for_a_gpu() -> None:
    asking = {name for name, service in BASE_SERVICES.items() if "deploy" in service}
    assert asking == {"worker-gpu"}
    devices = BASE_SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]


def test_without_a_gpu_the_slim_image_draws_with_the_fake_runner() -> None:
    worker = services(*STACKS["cpu"])["worker-gpu"]
    assert "deploy" not in worker
    assert worker["build"] == BASE_SERVICES["worker-io"]["build"]
    assert worker["image"] == BASE_SERVICES["worker-io"]["image"]
    assert worker["environment"]["DF_RUNNER"] == "fake"
    assert worker["environment"]["DF_WORKER_HTTP"] == "0.0.0.0:9100"
