"""The configuration's documents, written from the table of variables: they cannot lag behind it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from dreamforge_site.environment import (
    BASE_DIR,
    Environment,
    group,
    is_secret,
    takes,
    variable_names,
)

PAGE = BASE_DIR / "docs" / "configuration.md"
EXAMPLE = BASE_DIR / ".env.example"
REMEDY = "run `manage.py config_docs`"

_PAGE_HEAD = """\
# Configuration

<!-- Written by `manage.py config_docs` from dreamforge_site/environment/variables.py. -->

Dream Forge is configured by environment variables alone. They are read once, when a process starts;
in development also from a file `.env` beside `manage.py` (start from `.env.example`). What the
environment gives, under any name of a setting, wins over `.env`; an empty variable counts as not
given.

* A wrong value stops the start with one line: the variable, what it got and what it takes.
* A `DF_…` name that is not in these tables stops the start too: a typing error is not ignored.
* A secret can be given as `<NAME>_FILE`, the path of a file that holds it, instead of `<NAME>`.
* Where two names are listed, the first one given wins.
* `manage.py show_config` prints what is in effect; of secrets it tells only whether they are set.
* Traces are switched on by OpenTelemetry's own `OTEL_…` variables: see [operations](operations.md).
"""
_EXAMPLE_HEAD = """\
# Settings of Dream Forge in development: copy to `.env` and uncomment what you change.
# Written by `manage.py config_docs`; docs/configuration.md explains each one.
"""


def documents() -> dict[Path, str]:
    return {PAGE: page(), EXAMPLE: example()}


def page() -> str:
    parts = [_PAGE_HEAD]
    for title, fields in _grouped():
        rows = [_row(field, info) for field, info in fields]
        head = ["| variable | default | takes | does |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([f"## {title}", "", *head, *rows, ""]))
    return "\n".join(parts)


def example() -> str:
    parts = [_EXAMPLE_HEAD]
    for title, fields in _grouped():
        parts.append(
            "\n".join([f"# --- {title} ---", *(_entry(f, info) for f, info in fields), ""])
        )
    return "\n".join(parts)


def shown(environment: Environment) -> dict[str, object]:
    """Each variable's value in effect; a secret is only `set` or `unset`."""
    values = {
        variable_names(field, info)[0]: _shown(getattr(environment, field), is_secret(info))
        for field, info in Environment.model_fields.items()
    }
    return values | {
        "DF_AUTH": "on" if environment.auth_required else "off",
        "DF_HTTPS": "on" if environment.https_required else "off",
        "DF_MODELS_ROOT": str(environment.models_dir),
    }


def _shown(value: object, secret: bool) -> object:
    if secret:
        return "unset" if value is None else "set"
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _grouped() -> list[tuple[str, list[tuple[str, FieldInfo]]]]:
    titled = groupby(Environment.model_fields.items(), key=lambda item: group(item[1]))
    return [(title, list(fields)) for title, fields in titled]


def _row(field: str, info: FieldInfo) -> str:
    names = [f"`{name}`" for name in variable_names(field, info)]
    default = _default(info)
    secret = " Secret." if is_secret(info) else ""
    cells = (" or ".join(names), f"`{default}`" if default else "", takes(info))
    return f"| {' | '.join(cells)} | {info.description}{secret} |"


def _entry(field: str, info: FieldInfo) -> str:
    return f"# {takes(info)}\n#{variable_names(field, info)[0]}={_default(info)}"


def _default(info: FieldInfo) -> str:
    """The default as one would write it, empty when there is none."""
    value = info.default
    if value is None or value == () or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Path) and value.is_relative_to(BASE_DIR):
        return str(value.relative_to(BASE_DIR))
    return str(value)
