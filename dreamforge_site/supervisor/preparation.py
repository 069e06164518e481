"""What must be right before the first child starts; each fault ends the start with one line."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import structlog
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import Error as DatabaseFault
from django.db import connections

from dreamforge_site import broker, checks, databases
from dreamforge_site.accounts import first_admin
from dreamforge_site.accounts.errors import AccountError
from dreamforge_site.environment import Environment
from dreamforge_site.operations import metrics
from dreamforge_site.supervisor import descendants
from dreamforge_site.supervisor.errors import StartError

FOLDER_MODE = 0o700
# Their files are removed at each start: a link would let that reach other people's.
CLEARED_FOLDERS = ("broker", "broker/drafts", "run", "run/metrics")

log = structlog.get_logger("dreamforge")


def folders(environment: Environment) -> None:
    """The data directory exists, takes a file, and what is cleared lies within it."""
    _refuse_links(environment.data_dir)
    path = environment.run_dir
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _try_writing(path)
    except OSError as error:
        raise StartError(
            f"Cannot write to {environment.data_dir}: {error.strerror}; "
            "free some space, correct its permissions or choose another DF_DATA_DIR."
        ) from error


def clean_up(environment: Environment) -> None:
    """Remove what a killed service left; only for the holder of the lock."""
    leftovers = descendants.marked(marker(environment))
    descendants.kill(leftovers)
    metrics.reset_directory()
    broker.clear_drafts(environment.data_dir)
    if leftovers:
        log.warning("leftover_processes_killed", pids=leftovers)


def marker(environment: Environment) -> str:
    """How this data directory's processes are recognised."""
    return os.path.realpath(environment.data_dir)


def database() -> first_admin.FirstAdmin:
    """The tables as this version wants them, and somebody who can sign in."""
    try:
        call_command("migrate", interactive=False, verbosity=0)
        return first_admin.ensure()
    except DatabaseFault as error:
        raise StartError(f"Cannot prepare the database: {databases.complaint(error)}.") from error
    except AccountError as error:
        raise StartError(str(error)) from error
    finally:
        connections.close_all()


def boot_checks(environment: Environment) -> None:
    """Django's checks and ours; an error ends the start, a warning is logged."""
    found = run_checks(include_deployment_checks=environment.in_production, databases=["default"])
    for message in found:
        if not (message.is_serious() or message.is_silenced()):
            log.warning("boot_check", id=message.id, message=message.msg)
    lines = checks.serious(found)
    if lines:
        raise StartError("\n".join(lines))


def _refuse_links(data_dir: Path) -> None:
    for name in CLEARED_FOLDERS:
        if (data_dir / name).is_symlink():
            raise StartError(
                f"{data_dir / name} is a symbolic link and its files would be removed at the "
                "start; put a folder in its place, or move the whole DF_DATA_DIR."
            )


def _try_writing(folder: Path) -> None:
    probe = folder / f"probe-{secrets.token_hex(4)}"
    try:
        probe.write_bytes(b"x" * 4096)
    finally:
        probe.unlink(missing_ok=True)
