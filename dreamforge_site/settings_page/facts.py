"""What stands on the page: values, and which variable of the environment sets each. Secrets are
only ever set or unset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from dreamforge_site import databases
from dreamforge_site.environment import Environment, group, is_secret, variable_names
from dreamforge_site.operations import configuration
from jobs.generation.presets import PRESETS, Preset

OPEN = ("DF_ALLOW_REGISTRATION",)


@dataclass(frozen=True)
class Row:
    """`variables`: what sets it; none for what follows from something else."""

    name: str
    value: str
    variables: tuple[str, ...] = ()
    does: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    rows: tuple[Row, ...] = field(default_factory=tuple)


def places() -> Section:
    """Where things are kept, and how much room there is."""
    environment: Environment = settings.ENVIRONMENT
    database = settings.DATABASES["default"]
    kept_in = (
        str(database["NAME"])
        if databases.is_file(database)
        else f"PostgreSQL, database {database['NAME']} on {database['HOST'] or 'this machine'}"
    )
    images = (
        f"S3 bucket {environment.s3_bucket}"
        if environment.storage == "s3"
        else str(settings.STORAGES["default"]["OPTIONS"]["location"])
    )
    return Section(
        "Storage",
        (
            Row("Data", _with_room(environment.data_dir), ("DF_DATA_DIR",)),
            Row("Models", _with_room(Path(settings.MODELS_ROOT)), ("DF_MODELS_ROOT",)),
            Row("Images", images, ("DF_STORAGE", "DF_S3_BUCKET")),
            Row("Database", kept_in, ("DF_DATABASE_URL",)),
            Row("Broker", settings.CELERY_BROKER_URL.partition(":")[0], ("DF_BROKER_URL",)),
        ),
    )


def _with_room(folder: Path) -> str:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        facts = os.statvfs(place)
    except OSError as error:
        return f"{folder} (cannot be looked at: {error.strerror})"
    free = facts.f_bavail * facts.f_frsize / (1 << 30)
    total = facts.f_blocks * facts.f_frsize / (1 << 30)
    return f"{folder} ({free:,.1f} of {total:,.1f} GiB free)"


def policies() -> Section:
    pickles = "taken: they can run code" if settings.DOWNLOAD_ALLOW_PICKLE else "refused"
    rate = settings.DOWNLOAD_MAX_RATE
    return Section(
        "Policies",
        (
            Row("Sources", ", ".join(settings.DOWNLOAD_SOURCES), ("DF_DOWNLOAD_SOURCES",)),
            Row("Pickle formats", pickles, ("DF_DOWNLOAD_ALLOW_PICKLE",)),
            Row(
                "Local folders to install from",
                settings.DOWNLOAD_SOURCE_SETTINGS["file"]["roots"] or "none",
                ("DF_DOWNLOAD_FILE_ROOTS",),
            ),
            Row(
                "Download rate",
                f"{rate:,} bytes a second" if rate else "as fast as it goes",
                ("DF_DOWNLOAD_MAX_RATE",),
            ),
            Row(
                "Networks that webhooks may reach",
                ", ".join(map(str, settings.WEBHOOK_ALLOWED_NETWORKS)) or "public ones only",
                ("DF_WEBHOOK_ALLOW_PRIVATE",),
            ),
            Row("Registration", _yes(settings.ENVIRONMENT.allow_registration), OPEN),
        ),
    )


def presets() -> tuple[Preset, ...]:
    return tuple(PRESETS.values())


def variables() -> Iterator[Section]:
    """Every variable of the environment with its value in effect."""
    environment: Environment = settings.ENVIRONMENT
    shown = configuration.shown(environment)
    by_group: dict[str, list[Row]] = {}
    for name, info in Environment.model_fields.items():
        names = variable_names(name, info)
        value = shown[names[0]]
        said = str(value) if is_secret(info) else _text(value)
        row = Row(names[0], said, tuple(names), info.description or "")
        by_group.setdefault(group(info), []).append(row)
    for title, rows in by_group.items():
        yield Section(title, tuple(rows))


def _text(value: object) -> str:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return _yes(value) if isinstance(value, bool) else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
