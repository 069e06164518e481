"""The compose files as Docker Compose would read them: merged, with the variables put in."""

from __future__ import annotations

import re
from functools import reduce
from typing import Any

import yaml

from dreamforge_site.environment import BASE_DIR

BASE = "docker-compose.yml"
CPU = "compose.cpu.yml"
# A complete .env: what docs/deployment.md asks for, and nothing more.
VARIABLES = {
    "DF_SECRET_KEY": "compose-test-secret-key-of-more-than-fifty-characters",
    "DF_ALLOWED_HOSTS": "forge.example.org",
    "DF_S3_ACCESS_KEY": "composeaccess",
    "DF_S3_SECRET_KEY": "composesecret",
    "POSTGRES_PASSWORD": "composepostgres",
    "REDIS_PASSWORD": "composeredis",
}
REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<rule>:[-?])(?P<word>[^}]*))?\})")


class MissingVariableError(Exception):
    """A `${NAME:?…}` without a value."""


class _Loader(yaml.SafeLoader):
    """YAML with Compose's tag for a key that an override takes away."""


RESET = object()
_Loader.add_constructor("!reset", lambda _loader, _node: RESET)


def load(*names: str, variables: dict[str, str]) -> dict[str, Any]:
    merged = reduce(_merge, (_parse(name) for name in names))
    found = _interpolate(merged, variables)
    assert isinstance(found, dict)
    return found


def raw(name: str) -> str:
    return (BASE_DIR / name).read_text(encoding="utf-8")


def _parse(name: str) -> Any:
    return yaml.load(raw(name), Loader=_Loader)  # noqa: S506 (a SafeLoader with one more tag)


def _merge(below: Any, above: Any) -> Any:
    """An override's mappings extend, its other values replace (none of ours extends a list)."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    merged = {**below, **{key: _merge(below.get(key), value) for key, value in above.items()}}
    return {key: value for key, value in merged.items() if value is not RESET}


def _interpolate(node: Any, variables: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _interpolate(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_interpolate(value, variables) for value in node]
    if isinstance(node, str):
        return REFERENCE.sub(lambda match: _value(match, variables), node)
    return node


def _value(match: re.Match[str], variables: dict[str, str]) -> str:
    if match["dollar"]:
        return "$"
    value = variables.get(match["name"], "")
    if value or match["rule"] is None:
        return value
    if match["rule"] == ":?":
        raise MissingVariableError(f"{match['name']}: {match['word']}")
    return str(match["word"])
