"""The k3s manifests: valid for the API server, locked down, and naming only what exists."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from dreamforge_site.environment import BASE_DIR, known_names
from tests.deploy import compose

pytestmark = pytest.mark.pure

KUBERNETES = "1.34"
FOLDER = BASE_DIR / "deploy" / "k3s"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
APART = {"kustomization.yaml", "secrets.example.yaml", "nvidia.yaml"}


def documents(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / file).read_text(encoding="utf-8")))


RESOURCES = [
    (f"{file}:{document['kind']}:{document['metadata']['name']}", document)
    for file in FILES
    if file != "kustomization.yaml"
    for document in documents(file)
]
PODS = [
    (label, document["spec"]["template"]["spec"])
    for label, document in RESOURCES
    if document["kind"] in {"Deployment", "StatefulSet", "DaemonSet"}
]
OUR_PODS = [(label, pod) for label, pod in PODS if not label.startswith("nvidia")]
CONTAINERS = [
    (f"{label}:{container['name']}", container)
    for label, pod in PODS
    for container in [*pod.get("initContainers", []), *pod["containers"]]
]


def each(pairs: list[tuple[str, Any]]) -> pytest.MarkDecorator:
    assert pairs
    return pytest.mark.parametrize("item", [pair[1] for pair in pairs], ids=[p[0] for p in pairs])


@each(RESOURCES)
def test_the_resource_is_valid(item: dict[str, Any]) -> None:
    kubernetes_validate.validate(item, KUBERNETES, strict=True)


def test_a_misspelt_field_would_be_noticed() -> None:
    worker = next(d for d in documents("workers.yaml") if d["metadata"]["name"] == "worker-gpu")
    pod = worker["spec"]["template"]["spec"]
    pod["runtimeClasName"] = pod.pop("runtimeClassName")
    with pytest.raises(kubernetes_validate.ValidationError, match="runtimeClasName"):
        kubernetes_validate.validate(worker, KUBERNETES, strict=True)


def test_the_kustomization_names_every_manifest() -> None:
    named = documents("kustomization.yaml")[0]["resources"]
    assert sorted(named) == sorted({*FILES, "secrets.yaml"} - APART)


@each(CONTAINERS)
def test_the_image_is_pinned_and_the_container_locked(item: dict[str, Any]) -> None:
    assert re.match(r"v?\d", item["image"].rpartition(":")[2])
    assert item["securityContext"]["allowPrivilegeEscalation"] is False
    assert item["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in item["resources"]["limits"]


@each(OUR_PODS)
def test_the_pod_is_nobody_and_is_probed(item: dict[str, Any]) -> None:
    assert item["securityContext"]["runAsNonRoot"] is True
    assert item["securityContext"]["runAsUser"] > 0
    # Kubernetes would add variables of its own (REDIS_PORT=tcp://…), and ours are checked by name.
    assert item["enableServiceLinks"] is False
    main = item["containers"][0]
    assert main["securityContext"]["readOnlyRootFilesystem"] is True
    assert "livenessProbe" in main


def test_the_images_are_those_of_the_compose_file() -> None:
    services = compose.load(compose.BASE, variables=compose.VARIABLES)["services"]
    ours = {c["image"] for label, c in CONTAINERS if not label.startswith("nvidia")}
    assert ours == {service["image"] for service in services.values()}


def test_the_processes_run_the_commands_of_the_compose_file() -> None:
    services = compose.load(compose.BASE, variables=compose.VARIABLES)["services"]
    shared = {c["name"]: c["command"] for _, c in CONTAINERS if "manage.py" in c.get("command", [])}
    del shared["wait-for-migrations"]
    assert shared == {name: services[name]["command"] for name in shared}
    assert set(shared) == {"migrate", "api", "worker-io", "worker-gpu", "scheduler"}


@pytest.mark.parametrize("file", FILES)
def test_every_variable_of_ours_exists(file: str) -> None:
    named = set(re.findall(r"\bDF_[A-Z0-9_]+", (FOLDER / file).read_text(encoding="utf-8")))
    assert named <= known_names()


def test_the_secrets_template_holds_no_secret() -> None:
    values = documents("secrets.example.yaml")[0]["stringData"]
    assert set(values) == set(compose.VARIABLES) - {"DF_ALLOWED_HOSTS"}
    assert set(values.values()) == {"replace-me"}


def test_the_written_secrets_stay_out_of_git() -> None:
    assert "/deploy/k3s/secrets.yaml" in (BASE_DIR / ".gitignore").read_text().splitlines()
