"""An installation that is another one, commands on it, and what breaks a bundle on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from downloader.hub.models import Repo
from downloader.library.watch import Control, FileProgress, Observer
from registry.models import Model
from tests.hubs import Hub

MODEL = "xl"


@dataclass
class Machine:
    """An installation of its own: another models root, another secret, its own trust, no rows."""

    root: Path
    secret: str
    keys: Path

    def settle_in(self, settings: Settings) -> None:
        settings.MODELS_ROOT = self.root
        settings.SECRET_KEY = self.secret
        settings.TRUSTED_BUNDLE_KEYS = self.keys


def move_to(machine: Machine, settings: Settings, hub: Hub) -> None:
    """From here on we are that machine: it has no rows yet, and no network ever."""
    hub.unplug()
    Repo.objects.all().delete()
    Model.objects.all().delete()
    machine.settle_in(settings)


def called(name: str, *words: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(name, *map(str, words), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refused(name: str, *words: object) -> CommandError:
    with pytest.raises(CommandError) as error:
        called(name, *words)
    return error.value


def imported(path: Path, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(called("hub_import", path, "--trust", key, "--json")[0])
    return found


def nothing_is_shown(machine: Machine) -> bool:
    shown = [entry.name for entry in machine.root.iterdir()] if machine.root.exists() else []
    return not {name for name in shown if not name.startswith(".")} - {"blobs"}


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


class StopAfter(Observer):
    """Turns the switch when so many blobs have come, in the middle of the next."""

    def __init__(self, control: Control, blobs: int) -> None:
        self._control, self._left = control, blobs

    def file(self, progress: FileProgress) -> None:
        self._left -= progress.state == "done"
        if self._left < 0 and progress.state != "done":
            self._control.cancel()
