"""Which broker Celery talks to, and the limits that keep a hung one from hanging us.

A message is only a bell: the database row is the queue. So a lost message costs a little time and
never work, while a publisher that waits for ever on a silent broker would stop the whole service.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamforge_site import addresses

EMBEDDED = "embedded"
POLL_S = 0.05
SOCKET_TIMEOUT_S = 2
CONNECT_TIMEOUT_S = 2
# Messages are acknowledged as they start; this only returns what a killed worker had fetched ahead.
REDELIVERY_S = 300

REDIS_OPTIONS: dict[str, Any] = {
    "socket_timeout": SOCKET_TIMEOUT_S,
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "visibility_timeout": REDELIVERY_S,
    # Without these two a sweep comes every 100 s, whatever the timeout above says.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
}
AMQP_OPTIONS: dict[str, Any] = {
    "read_timeout": SOCKET_TIMEOUT_S,
    "write_timeout": SOCKET_TIMEOUT_S,
    # The broker says it has the message: a hung one is noticed instead of filling a socket buffer.
    "confirm_publish": True,
}
OPTIONS_BY_SCHEME = {
    "redis": REDIS_OPTIONS,
    "rediss": REDIS_OPTIONS,
    "amqp": AMQP_OPTIONS,
    "amqps": AMQP_OPTIONS,
}


SEPARATOR = ";"  # between brokers that stand in for each other


@dataclass(frozen=True)
class Broker:
    url: str
    options: dict[str, Any]


def parse(url: str | None, data_dir: Path) -> Broker:
    """The broker named by DF_BROKER_URL; none or `embedded` is the one in the data directory."""
    url = url or EMBEDDED
    scheme = url.partition("://")[0]
    if scheme == EMBEDDED:
        folder = str(data_dir / "broker")
        return Broker(f"{EMBEDDED}://localhost", {"folder": folder, "polling_interval": POLL_S})
    return Broker(url, dict(OPTIONS_BY_SCHEME[scheme]))


def require_usable(url: str) -> None:
    """ValueError, in words that repeat nothing of it, when it names no broker we support."""
    for one in url.split(SEPARATOR):
        scheme = one.partition("://")[0]
        if scheme != EMBEDDED and scheme not in OPTIONS_BY_SCHEME:
            raise ValueError("got an address of another kind")
        addresses.server(one)


def publish_policy() -> dict[str, float]:
    """One retry: with the socket limits above, publishing to a hung broker fails in seconds."""
    return {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.2}


def clear_drafts(data_dir: Path) -> int:
    """Remove what a killed publisher left half-written; call it only while nobody publishes."""
    drafts = list((data_dir / "broker" / "drafts").glob("*.json"))
    for draft in drafts:
        draft.unlink()
    return len(drafts)
