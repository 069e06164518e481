"""The whole service on one machine, from the first check to the last process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

from dreamforge_site.accounts.first_admin import FirstAdmin
from dreamforge_site.environment import BASE_DIR, Environment
from dreamforge_site.processes import listening, ownership
from dreamforge_site.supervisor import banner, descendants, preparation, readiness
from dreamforge_site.supervisor.children import Program
from dreamforge_site.supervisor.errors import StartError
from dreamforge_site.supervisor.lines import Style
from dreamforge_site.supervisor.lock import Lock
from dreamforge_site.supervisor.output import LineStream, Output
from dreamforge_site.supervisor.readiness import Readiness
from dreamforge_site.supervisor.supervise import Supervisor

INTERRUPTED = 130
OWN_VARIABLES = frozenset({"DF_ADMIN_PASSWORD", "DF_ADMIN_PASSWORD_FILE"})


def run(environment: Environment) -> int:
    """Run until stopped: 0 after TERM or HUP, 130 after ^C."""
    _end_quietly_on_stop_signals()
    url = listening.url(environment.host, environment.port)
    preparation.folders(environment)
    with Lock(environment.run_dir / "lock", url), _listen(environment) as listener:
        preparation.clean_up(environment)
        admin = preparation.database()
        preparation.boot_checks(environment)
        return _supervise(environment, listener, admin)


def _end_quietly_on_stop_signals() -> None:
    """Until the supervisor takes over, there is nothing to stop but the preparation."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: sys.exit(0))


def _listen(environment: Environment) -> socket.socket:
    try:
        return listening.listen(environment.host, environment.port)
    except listening.ListenError as error:
        raise StartError(str(error)) from error


def _supervise(environment: Environment, listener: socket.socket, admin: FirstAdmin) -> int:
    terminal = sys.stdout is not None and sys.stdout.isatty()
    style = _style(environment, terminal)
    output = Output(1)
    # Messages for people, not log lines: they must not stand among the JSON.
    messages = Output(2)
    _send_own_lines_to(lambda line: output.write(style.render("dreamforge", line)), terminal)
    ownership.adopt_orphans()
    supervisor = Supervisor(
        programs(listener), child_environment(environment, style), output, style
    )
    readiness.watch(_question(environment), partial(_announce, messages, environment, admin))
    number = supervisor.run()
    messages.flush()
    output.flush()
    return INTERRUPTED if number == signal.SIGINT else 0


def programs(listener: socket.socket) -> list[Program]:
    inherited = listener.fileno()
    return [
        Program("web", _command("web"), {listening.LISTEN_FD: str(inherited)}, (inherited,)),
        Program("worker-io", _command("worker", "--queue", "io")),
        Program("worker-gpu", _command("worker", "--queue", "gpu")),
        Program("scheduler", _command("scheduler")),
    ]


def _command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(BASE_DIR / "manage.py"), *arguments)


def child_environment(environment: Environment, style: Style) -> dict[str, str]:
    """Ours, with whose child it is and how its lines will be shown. The password of the first
    administrator is used up: `/proc` shows a process's environment for as long as it lives."""
    extra = {
        ownership.SUPERVISOR_PID: str(os.getpid()),
        descendants.MARKER: preparation.marker(environment),
        "DF_LOG_FORMAT": "json" if style.json else "text",
        "PYTHONUNBUFFERED": "1",
    }
    if style.colour:
        extra["FORCE_COLOR"] = "1"
    given = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    return {**given, **extra}


def _style(environment: Environment, terminal: bool) -> Style:
    as_text = environment.log_format == "text" or (environment.log_format == "auto" and terminal)
    return Style(json=not as_text, colour=terminal and as_text and not os.environ.get("NO_COLOR"))


def _send_own_lines_to(write_line: Callable[[bytes], None], terminal: bool) -> None:
    """A log line or a stray print of this process must never wait for the terminal either."""
    stream = LineStream(write_line, terminal=terminal)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)
    sys.stdout = sys.stderr = stream


def _question(environment: Environment) -> Callable[[], Readiness | None]:
    address = listening.local_address(environment.host)
    return partial(readiness.probe, address, environment.port, own_name(environment))


def own_name(environment: Environment) -> str:
    """A Host header this service answers to."""
    named = [host.lstrip(".") for host in environment.allowed_hosts if host != "*"]
    return named[0] if environment.in_production and named else f"localhost:{environment.port}"


def _announce(
    messages: Output, environment: Environment, admin: FirstAdmin, answer: Readiness
) -> None:
    welcome = banner.Welcome(
        url=listening.url(environment.host, environment.port),
        data_dir=str(environment.data_dir),
        username=admin.username,
        one_time_password=admin.password,
        created=admin.created,
        open_access=not environment.auth_required,
        not_ready=answer.reason,
    )
    messages.write(f"{banner.text(welcome)}\n".encode())
