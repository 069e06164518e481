"""Structured logging for every process: JSON lines for machines, coloured text for a terminal.

A log call becomes exactly one line, holds no secret, and never raises: whatever is logged, by us,
by Django, Celery or uvicorn, by `warnings` or by an exception nobody caught, takes this road.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from dreamforge_site import correlation
from dreamforge_site.environment import Environment
from dreamforge_site.operations.redaction import Redactor, url_password

log = structlog.get_logger(__name__)

SERVICE_COMMANDS = frozenset({"dreamforge", "web", "worker", "scheduler"})
FIRST_FIELDS = ("ts", "level", "logger", "event", "request_id")
# Their lines would repeat ours, or tell what nobody asked for.
QUIET_LOGGERS = {"uvicorn.access": "WARNING", "botocore": "WARNING", "urllib3": "WARNING"}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(environment: Environment, secrets: Iterable[str] = ()) -> None:
    """Route structlog and the standard library through one formatter, and catch the uncaught."""
    stream = _stream()
    as_text = environment.log_format == "text" or (
        environment.log_format == "auto" and stream.isatty()
    )
    redactor = Redactor([*known_secrets(environment), *secrets])
    handler = logging.StreamHandler(stream)
    # A child of the supervisor writes to a pipe that ends on a terminal.
    colors = stream.isatty() or bool(os.environ.get("FORCE_COLOR"))
    handler.setFormatter(LineFormatter(redactor, as_text, colors))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, LineFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(_level(environment).upper())
    for name, level in QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger("django.request").addFilter(_only_with_traceback)
    # A closed pipe has nobody left to tell, and a log line must not stop the work.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _catch_the_uncaught()


def known_secrets(environment: Environment) -> list[str]:
    """Every secret value of the environment, and the passwords inside its addresses."""
    values = []
    for field in Environment.model_fields:
        value = getattr(environment, field)
        if hasattr(value, "get_secret_value"):
            plain = value.get_secret_value()
            is_address = "://" in plain
            values.append(url_password(plain) if is_address else plain)
    # "embedded" is a secret setting's harmless value.
    return [value for value in values if value and value != "embedded"]


class LineFormatter(structlog.stdlib.ProcessorFormatter):
    """One record, one line."""

    def __init__(self, redactor: Redactor, as_text: bool, colors: bool = False) -> None:
        self._redactor = redactor
        ending: list[Processor] = (
            [self._text_exception, _console(colors)] if as_text else [self._exception, _as_json]
        )
        super().__init__(
            processors=[self.remove_processors_meta, _trace_ids, self._redacted, *ending],
            foreign_pre_chain=_shared(),
        )
        self._as_text = as_text

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001  a broken log call is reported, not raised
            told = {
                "level": "error",
                "logger": record.name,
                "event": "log_line_failed",
                "message": self._redactor.text(repr(record.msg)),
                "error": type(error).__name__,
            }
            return json.dumps(told)

    def _redacted(self, _logger: object, _name: str, event: EventDict) -> EventDict:
        exc_info = event.pop("exc_info", None)
        safe = {name: self._redactor.named(name, value) for name, value in event.items()}
        if self._as_text:
            safe = {name: _one_line(value) for name, value in safe.items()}
        failure = _failure(exc_info)
        return safe if failure is None else {**safe, "exc_info": failure}

    def _exception(self, _logger: object, _name: str, event: EventDict) -> EventDict:
        failure = event.pop("exc_info", None)
        if failure is not None:
            event["exception"] = {
                "type": type(failure).__qualname__,
                "message": self._redactor.value(failure),
                "traceback": self._redactor.text(_traceback(failure)),
            }
        return event

    def _text_exception(self, _logger: object, _name: str, event: EventDict) -> EventDict:
        failure = event.pop("exc_info", None)
        if failure is not None:
            lines = self._redactor.text(_traceback(failure)).splitlines()
            # The bar keeps a line inside an exception's message from posing as a log line.
            event["exception"] = "\n".join(f"    | {_one_line(line)}" for line in lines)
        return event


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _inherited_request_id(correlation.inherited(os.environ)),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True, key="ts"),
    ]


def _inherited_request_id(request_id: str | None) -> Processor:
    def add(_logger: object, _name: str, event: EventDict) -> EventDict:
        if request_id:
            event.setdefault("request_id", request_id)
        return event

    return add


def _trace_ids(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Join a line to its trace, when tracing is on at all."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
            event["span_id"] = f"{context.span_id:016x}"
    return event


def _as_json(_logger: object, _name: str, event: EventDict) -> str:
    first = {name: event.pop(name) for name in FIRST_FIELDS if name in event}
    return json.dumps({**first, **event}, default=repr)


def _console(colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        timestamp_key="ts",
        # The stock formatter shows local variables, and those hold secrets.
        exception_formatter=structlog.dev.plain_traceback,
    )


def _one_line(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), value)
    return value


def _failure(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        found = exc_info[1]
        return found if isinstance(found, BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _traceback(failure: BaseException) -> str:
    return "".join(traceback.format_exception(failure)).rstrip()


def _only_with_traceback(record: logging.LogRecord) -> bool:
    """Django tells every 4xx and 5xx once more; only an exception's traceback is news."""
    return bool(record.exc_info)


def _level(environment: Environment) -> str:
    """A command answers whoever typed it; what it does is no news to them unless they ask."""
    asked = "log_level" in environment.model_fields_set
    return environment.log_level if asked or not _is_command() else "warning"


def _is_command() -> bool:
    started = Path(sys.argv[0]).name if sys.argv else ""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    return started == "manage.py" and command not in SERVICE_COMMANDS


def _stream() -> TextIO:
    """Where lines go: stdout, but stderr for a command whose stdout is its answer."""
    stream = sys.stderr if _is_command() else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")  # whatever the terminal's encoding
    return stream


def _catch_the_uncaught() -> None:
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("uncaught_exception", exc_info=_info(error))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else None
        log.critical("uncaught_exception", thread=name, exc_info=_info(args.exc_value))


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    if args.exc_value is not None:
        log.error("unraisable_exception", where=args.object, exc_info=_info(args.exc_value))


def _info(error: BaseException) -> ExcInfo:
    return type(error), error, error.__traceback__
